import { type ActReading, type FirewallAct, isSource } from "./firewall-act.ts";
import type { PortRange, Protocol } from "./port.ts";
import { guessedPorts, readPorts } from "./service-port.ts";

/**
 * Reads the arguments of nft, which may be one quoted text:
 *
 *     add element inet filter ssh_allowed { %IP% timeout 30s }
 *     insert rule inet filter input ip saddr %IP% tcp dport { 22, 80 } accept
 */
export function readNft(words: readonly string[]): ActReading {
  const text = words.join(" ").replaceAll(/\s+/g, " ").trim();
  const element = /^(add|create|delete) element (?:(?:ip|ip6|inet) )?\S+ (\S+) ?\{(.*)\}$/.exec(text);
  if (element !== null)
    return readElement(element[1] === "delete" ? "remove" : "add", element[2] ?? "", element[3] ?? "");
  const rule = /^(add|insert|delete) rule (?:(?:ip|ip6|inet) )?\S+ (\S+) (.*)$/.exec(text);
  if (rule !== null) return readRule(rule[1] === "delete" ? "remove" : "add", rule[2] ?? "", rule[3] ?? "");
  return { unknown: "it is none of nft's usual ways to open a port" };
}

function readElement(change: FirewallAct["change"], set: string, text: string): ActReading {
  const [, key = "", timeout] =
    /^ ?(.*?)(?: (?:timeout|expires) (\S+))? ?$/.exec(text.replace(/ comment "[^"]*"/, "")) ?? [];
  const parts = key.split(/ ?\. ?/);
  if (!parts.some(isSource)) return { unknown: "its element does not hold %IP%" };
  const protocols = parts.filter((part): part is Protocol => part === "tcp" || part === "udp");
  const named = parts.filter((part) => !isSource(part) && part !== "tcp" && part !== "udp");
  const read = named.length === 0 ? undefined : readPorts(named.join(","), protocols.length > 0 ? protocols : ["tcp"]);
  if (named.length > 0 && read === undefined) return { unknown: "its element holds more than addresses and ports" };
  const guess = read === undefined ? guessedPorts(set) : undefined;
  const remarks =
    guess === undefined
      ? []
      : [`which ports the set ${set} opens stands in the ruleset; they were guessed from its name`];
  const ports = read ?? guess;
  if (ports === undefined) return { unknown: `which ports the set ${set} opens stands in the ruleset, not here` };
  const lastsSeconds = timeout === undefined ? undefined : secondsOf(timeout);
  return { act: { tool: "nft", change, verdict: "accept", from: "source", ports, lastsSeconds, remarks } };
}

function readRule(change: FirewallAct["change"], chain: string, text: string): ActReading {
  if (/^(handle|index) \d+$/.test(text) || /\$/.test(text)) return { unknown: "it names a rule by its handle" };
  let rest = ` ${text} `.replace(/ (?:comment "[^"]*"|comment \S+|counter|position \d+|index \d+) /, " ");
  const taken = (pattern: RegExp): string | undefined => {
    const found = pattern.exec(rest);
    if (found !== null) rest = rest.replace(found[0], " ");
    return found?.[1];
  };
  const address = taken(/ ip6? saddr (\S+) /);
  const ports: PortRange[] = [];
  for (const protocol of ["tcp", "udp"] as const) {
    const dport = taken(new RegExp(` ${protocol} dport (\\{[^}]*\\}|\\S+) `));
    const read = dport === undefined ? [] : readPorts(dport.replaceAll(/[{}\s]/g, ""), [protocol]);
    if (read === undefined) return { unknown: "its ports are no numbers" };
    ports.push(...read);
  }
  const link = taken(/ (?:iif|iifname) (\S+) /);
  taken(/ (ct state (?:new|\{[^}]*\})) /);
  const verdict = rest.trim();
  if (!/^input$/i.test(chain)) return { unknown: `it changes the chain ${chain}, not input` };
  if (address !== undefined && !isSource(address)) return { unknown: "its rule is for a fixed address" };
  if (!["accept", "drop", "reject"].includes(verdict))
    return { unknown: "its rule says more than source, ports and verdict" };
  const remarks = link === undefined ? [] : [`its rule held only for the interface ${link}`];
  if (change === "remove") remarks.push("nft removes rules by their handle only, so it removed nothing");
  const from = address === undefined ? "anybody" : "source";
  return {
    act: {
      tool: "nft",
      change,
      verdict: verdict === "accept" ? "accept" : "deny",
      from,
      ports,
      lastsSeconds: undefined,
      remarks,
    },
  };
}

/** nft's own times: `30s`, `1h30m`, `300`. */
function secondsOf(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const units: Readonly<Record<string, number>> = { d: 86400, h: 3600, m: 60, s: 1 };
  const parts = [...text.matchAll(/(\d+)([dhms])/g)];
  if (parts.map(([part]) => part).join("") !== text) return undefined;
  return parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (units[unit] ?? 0), 0);
}
