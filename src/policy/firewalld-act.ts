import { type ActReading, type FirewallAct, isSource } from "./firewall-act.ts";
import type { PortRange, Protocol } from "./port.ts";
import { readPorts, servicePorts } from "./service-port.ts";

const change = /^--(add|remove)-(rich-rule|port|service)$/;

/** Reads the arguments of firewall-cmd(1): `--add-rich-rule='rule family="ipv4" source address="%IP%" service name="ssh" accept' --timeout=30`. */
export function readFirewalld(words: readonly string[]): ActReading {
  const remarks: string[] = [];
  let lastsSeconds: number | undefined;
  let found: ActReading | undefined;
  const options = words.flatMap((word) => /^(--[a-z-]+)=(.*)$/s.exec(word)?.slice(1) ?? [word]);
  for (let at = 0; at < options.length; at++) {
    const option = options[at] ?? "";
    const [, verb, thing] = change.exec(option) ?? [];
    if (verb !== undefined && found !== undefined) return { unknown: "it changes several things at once" };
    if (verb !== undefined) found = readChange(verb === "add" ? "add" : "remove", thing ?? "", options[++at] ?? "");
    else if (option === "--zone") remarks.push(`its rule held only for the zone ${options[++at]}`);
    else if (option === "--timeout") lastsSeconds = secondsOf(options[++at] ?? "");
    else if (option === "--permanent") remarks.push("it was permanent; a grant is not");
    else if (option !== "-q" && option !== "--quiet") return { unknown: `its option ${option} is not known` };
  }
  if (found === undefined) return { unknown: "it adds and removes no port, service or rich rule" };
  if ("unknown" in found) return found;
  return { act: { ...found.act, lastsSeconds, remarks: [...found.act.remarks, ...remarks] } };
}

function readChange(kind: FirewallAct["change"], thing: string, value: string): ActReading {
  if (thing === "rich-rule") return readRichRule(kind, value);
  const ports = thing === "port" ? readPorts(value) : servicePorts(value);
  return ports === undefined ? { unknown: "its port is not known" } : { act: actOf(kind, "accept", "anybody", ports) };
}

/** A rich rule, firewalld.richlanguage(5): quotes may be of either kind or missing. */
function readRichRule(kind: FirewallAct["change"], text: string): ActReading {
  const rule = text.replaceAll(/["']/g, "").replaceAll(/\s+/g, " ").trim();
  const address = / source address=(\S+)/.exec(rule)?.[1];
  const service = / service name=(\S+)/.exec(rule)?.[1];
  const port = / port (?:port=(\S+) protocol=(\S+)|protocol=(\S+) port=(\S+))/.exec(rule);
  const verdict = /(accept|drop|reject)(?: limit value=\S+)?$/.exec(rule)?.[1];
  if (address !== undefined && !isSource(address)) return { unknown: "its rule is for a fixed address" };
  if (verdict === undefined) return { unknown: "its rich rule has no verdict" };
  const protocol = port?.[2] ?? port?.[3];
  const ports = service === undefined ? portsOf(port?.[1] ?? port?.[4], protocol) : servicePorts(service);
  if (ports === undefined) return { unknown: "its port or service is not known" };
  const from = address === undefined ? "anybody" : "source";
  return { act: actOf(kind, verdict === "accept" ? "accept" : "deny", from, ports) };
}

function portsOf(text: string | undefined, protocol: string | undefined): readonly PortRange[] | undefined {
  if (text === undefined) return [];
  return protocol === "tcp" || protocol === "udp" ? readPorts(text, [protocol satisfies Protocol]) : undefined;
}

function actOf(
  kind: FirewallAct["change"],
  verdict: FirewallAct["verdict"],
  from: FirewallAct["from"],
  ports: readonly PortRange[],
): FirewallAct {
  return { tool: "firewall-cmd", change: kind, verdict, from, ports, lastsSeconds: undefined, remarks: [] };
}

/** `30`, `30s`, `5m`, `1h`. */
function secondsOf(text: string): number | undefined {
  const [, count, unit = "s"] = /^(\d+)([smh])?$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * ({ s: 1, m: 60, h: 3600 }[unit] ?? 1);
}
