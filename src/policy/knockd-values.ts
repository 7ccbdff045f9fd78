import { type Address, formatAddress, parseAddress } from "./address.ts";
import { flagBits } from "./flag-rule.ts";
import { trimBlanks } from "./knockd-line.ts";
import type { FlagRule } from "./policy.ts";
import { type PortKey, portKey } from "./port.ts";

/** What a text means, or what knockd says about it. */
export type KnockdValue<Value> = { readonly value: Value } | { readonly wrong: KnockdWrong; readonly text: string };
export type KnockdWrong =
  | "too-many-ports"
  | "port-out-of-range"
  | "protocol-unknown"
  | "flag-unknown"
  | "target-unreadable";

/** SEQ_MAX of knockd. */
const mostSteps = 32;

/** C's `atoi` as glibc has it: `5 # five` is 5, `soon` is 0; too long a number is cut to 32 bits after 64. */
export function readNumber(text: string): number {
  const digits = /^[ \t\r\n\v\f]*([+-]?\d+)/.exec(text)?.[1];
  if (digits === undefined) return 0;
  const wide = BigInt(digits.slice(0, 40));
  const most = 2n ** 63n;
  const long = wide >= most ? most - 1n : wide < -most ? -most : wide;
  return Number(BigInt.asIntN(32, long));
}

/** `7000:udp,8000` as port keys. A field without digits is port 0, and a negative number wraps: `-1` is 65535. */
export function readSteps(text: string): KnockdValue<readonly PortKey[]> {
  const steps: PortKey[] = [];
  for (const field of text.split(",")) {
    if (steps.length === mostSteps) return { wrong: "too-many-ports", text: "" };
    const [portText = "", protocolText] = field.split(":");
    const port = readNumber(portText);
    if (port > 65535) return { wrong: "port-out-of-range", text: String(port) };
    const protocol = trimBlanks(protocolText ?? "tcp").toLowerCase();
    if (protocol !== "tcp" && protocol !== "udp") return { wrong: "protocol-unknown", text: protocol };
    steps.push(portKey({ protocol, port: port & 0xffff }));
  }
  return { value: steps };
}

/** Adds `syn,!ack` to the flags of lines before; of a flag and its negation the last counts. */
export function readFlags(before: FlagRule, text: string): KnockdValue<FlagRule> {
  let { must, mustNot } = before;
  for (const flag of text.split(",")) {
    const [isForbidden, name] = flag.startsWith("!") ? [true, flag.slice(1)] : [false, flag];
    const bit = flagBits[name.toLowerCase() as keyof typeof flagBits];
    if (bit === undefined || !Object.hasOwn(flagBits, name.toLowerCase()))
      return { wrong: "flag-unknown", text: flag.toUpperCase() };
    must = isForbidden ? must & ~bit : must | bit;
    mustNot = isForbidden ? mustNot | bit : mustNot & ~bit;
  }
  return { value: { must, mustNot } };
}

/**
 * An address, or undefined where the text can never match: knockd compares it with the packet's destination as text, so host names
 * and addresses that are not in their canonical form are accepted and of no use. What pcap-filter(7) cannot read is wrong.
 */
export function readTarget(text: string): KnockdValue<Address | undefined> {
  const address = parseAddress(text);
  if (address !== undefined) return { value: formatAddress(address) === text ? address : undefined };
  if (text.includes("/")) return { wrong: "target-unreadable", text: "Mask syntax for networks only" };
  if (/^[\d.]+$/.test(text) && text !== "")
    return { wrong: "target-unreadable", text: `invalid IPv4 address '${text}'` };
  if (/^[\w.-]+$/.test(text)) return { value: undefined };
  return { wrong: "target-unreadable", text: "can't parse filter expression: syntax error" };
}
