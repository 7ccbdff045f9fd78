import { type ActReading, type FirewallAct, isSource, WordReader } from "./firewall-act.ts";
import type { Protocol } from "./port.ts";
import { readPorts, servicePorts } from "./service-port.ts";

/** Reads `insert 1 allow from %IP% to any port 22 proto tcp`, the arguments of ufw(8). */
export function readUfw(words: readonly string[]): ActReading {
  const reader = new WordReader(
    words.filter((word) => word !== "--force" && word !== "rule" && word !== "in" && word !== "any"),
  );
  let change: FirewallAct["change"] = "add";
  let from: FirewallAct["from"] = "anybody";
  let protocols: readonly Protocol[] = ["tcp", "udp"];
  let verdict: FirewallAct["verdict"] | undefined;
  let portText: string | undefined;
  const remarks: string[] = [];
  for (let word = reader.next(); word !== undefined; word = reader.next()) {
    if (word === "delete") change = "remove";
    else if (word === "insert") reader.next();
    else if (word === "prepend" || word === "to" || word === "log") continue;
    else if (word === "allow" || word === "limit") verdict = "accept";
    else if (word === "deny" || word === "reject") verdict = "deny";
    else if (word === "from" && isSource(reader.next() ?? "")) from = "source";
    else if (word === "from") return { unknown: "its rule is for a fixed address" };
    else if (word === "port" || word === "app") portText = reader.next();
    else if (word === "proto") protocols = [reader.next() === "udp" ? "udp" : "tcp"];
    else if (word === "comment") reader.next();
    else if (word === "on") remarks.push(`its rule held only for the interface ${reader.next()}`);
    else if (/^\d+$/.test(word) && change === "remove" && verdict === undefined)
      return { unknown: "it removes a rule by its number" };
    else if (verdict !== undefined && portText === undefined) portText = word;
    else return { unknown: `its word ${word} is not known` };
  }
  if (verdict === undefined) return { unknown: "it neither allows nor denies" };
  const ports = portText === undefined ? [] : (servicePorts(portText) ?? readPorts(portText, protocols));
  if (ports === undefined) return { unknown: "its port is no number" };
  return { act: { tool: "ufw", change, verdict, from, ports, lastsSeconds: undefined, remarks } };
}
