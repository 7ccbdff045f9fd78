import { type ActReading, type FirewallAct, isSource, WordReader } from "./firewall-act.ts";
import type { PortRange, Protocol } from "./port.ts";
import { readPorts } from "./service-port.ts";

/** What the options of one rule come to. */
interface Rule {
  change: FirewallAct["change"] | undefined;
  chain: string | undefined;
  target: string | undefined;
  from: FirewallAct["from"];
  protocols: readonly Protocol[] | undefined;
  portTexts: string[];
  remarks: string[];
}

type Take = (rule: Rule, reader: WordReader) => string | undefined;

/** Takes an option's value, and says what is wrong with it. */
function valued(use: (rule: Rule, value: string) => string | undefined): Take {
  return (rule, reader) => {
    const value = reader.next();
    return value === undefined ? "its last option has no value" : use(rule, value);
  };
}

const change = (kind: FirewallAct["change"]): Take =>
  valued((rule, chain) => {
    Object.assign(rule, { change: kind, chain });
    return undefined;
  });
const ports = valued((rule, text) => {
  rule.portTexts.push(text);
  return undefined;
});
const skipped = valued(() => undefined);
const narrowed = (what: string): Take =>
  valued((rule, value) => {
    rule.remarks.push(`its rule held only for ${what} ${value}`);
    return undefined;
  });

/** Options of iptables(8) and iptables-extensions(8) that rules of doors have. */
const options: Readonly<Record<string, Take | undefined>> = {
  "-A": change("add"),
  "--append": change("add"),
  "-I": change("add"),
  "--insert": change("add"),
  "-D": change("remove"),
  "--delete": change("remove"),
  "-j": valued((rule, target) => {
    rule.target = target;
    return undefined;
  }),
  "-s": valued((rule, address) => {
    if (isSource(address)) rule.from = "source";
    return rule.from === "source" || /^(0\.0\.0\.0|::)\/0$/.test(address)
      ? undefined
      : "its rule is for a fixed address";
  }),
  "-p": valued((rule, protocol) => {
    rule.protocols = protocol === "all" ? ["tcp", "udp"] : protocol === "tcp" || protocol === "udp" ? [protocol] : [];
    return rule.protocols.length === 0 ? `its protocol is ${protocol}` : undefined;
  }),
  "--dport": ports,
  "--dports": ports,
  "-m": skipped,
  "--state": skipped,
  "--ctstate": skipped,
  "--comment": skipped,
  "-t": valued((_, table) => (table === "filter" ? undefined : `it changes the table ${table}`)),
  "-i": narrowed("the interface"),
  "-d": narrowed("the destination"),
  "--syn": () => undefined,
  "-v": () => undefined,
  "-n": () => undefined,
  "-w": (_, reader) => {
    reader.take(/^\d+$/);
    return undefined;
  },
};
const longNames: Readonly<Record<string, string | undefined>> = {
  "--jump": "-j",
  "--source": "-s",
  "--src": "-s",
  "--protocol": "-p",
  "--proto": "-p",
  "--destination-port": "--dport",
  "--destination-ports": "--dports",
  "--match": "-m",
  "--table": "-t",
  "--in-interface": "-i",
  "--destination": "-d",
  "--wait": "-w",
};

/** Reads `-I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT`, the arguments of iptables or ip6tables. */
export function readIptables(words: readonly string[]): ActReading {
  const rule: Rule = {
    change: undefined,
    chain: undefined,
    target: undefined,
    from: "anybody",
    protocols: undefined,
    portTexts: [],
    remarks: [],
  };
  const reader = new WordReader(words.flatMap(splitAssigned));
  for (let word = reader.next(); word !== undefined; word = reader.next()) {
    if (/^\d+$/.test(word) && rule.change === "add" && rule.target === undefined) continue; // -I INPUT 1
    if (/^\d+$/.test(word)) return { unknown: "it removes a rule by its number" };
    const take = word.startsWith("-") ? options[longNames[word] ?? word] : undefined;
    const wrong = take === undefined ? `its word ${word} is not known` : take(rule, reader);
    if (wrong !== undefined) return { unknown: wrong };
  }
  return actOf(rule);
}

function actOf(rule: Rule): ActReading {
  const { change, chain, target = "", from, protocols, portTexts, remarks } = rule;
  if (change === undefined) return { unknown: "it neither adds nor removes a rule" };
  if (chain !== "INPUT") return { unknown: `it changes the chain ${chain}, not INPUT` };
  if (!["ACCEPT", "DROP", "REJECT"].includes(target)) return { unknown: `its target is ${target || "missing"}` };
  const found: PortRange[] = [];
  for (const text of portTexts) {
    const read = readPorts(text, protocols);
    if (read === undefined) return { unknown: "its ports are no numbers" };
    found.push(...read);
  }
  if (found.length > 0 && protocols === undefined)
    remarks.push("iptables refuses --dport without -p, so it never worked; tcp is assumed");
  const verdict = target === "ACCEPT" ? "accept" : "deny";
  return { act: { tool: "iptables", change, verdict, from, ports: found, lastsSeconds: undefined, remarks } };
}

/** `--dport=22` is `--dport 22`. */
function splitAssigned(word: string): readonly string[] {
  const [, name, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? [];
  return name === undefined || value === undefined ? [word] : [name, value];
}
