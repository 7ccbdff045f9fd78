import { type Knock, protocolNumber, type TcpFlag, tcpFlag } from "../../src/decode/knock.ts";
import { parseAddress } from "../../src/policy/address.ts";
import { parseDuration } from "../../src/policy/duration.ts";

/** When scripts begin, in microseconds. */
export const scriptBegins = 1_000_000_000;

/** Numbers the packets that have no number in the script, so that each is a packet of its own. */
let packets = 0;

/**
 * Knocks from a line of text: `7000 8000/udp#3@2s<192.0.2.7>192.0.2.1!syn,ack` is port 7000, then UDP port 8000 in
 * packet 3 (the same number: the same packet) two seconds after the beginning, from and to these addresses, with these
 * flags; in any order. What is left out: TCP, a packet of its own, one millisecond after the knock before (`afterMicros`
 * for the first), 198.51.100.1 to 192.0.2.1, SYN.
 */
export function knocksOf(script: string, afterMicros = scriptBegins): Knock[] {
  let atMicros = afterMicros;
  return script.split(/\s+/).flatMap((word) => {
    if (word === "") return [];
    const parts = partsOf(word);
    const time = parts.get("@");
    atMicros = time === undefined ? atMicros + 1000 : scriptBegins + microsOf(time);
    return [knockOf(parts, atMicros)];
  });
}

/** The parts of a word by the character they begin with; the port has none. */
function partsOf(word: string): Map<string, string> {
  if (!/^\d+([/#@<>!][^/#@<>!]*)*$/.test(word)) throw new Error(`not a knock: ${word}`);
  const parts = word.match(/[/#@<>!][^/#@<>!]*|[^/#@<>!]+/g) ?? [];
  return new Map(parts.map((part) => (/^\d/.test(part) ? ["", part] : [part.slice(0, 1), part.slice(1)])));
}

function knockOf(parts: ReadonlyMap<string, string>, atMicros: number): Knock {
  const udp = parts.get("/") === "udp";
  const packet = Number(parts.get("#") ?? 1000 + packets++);
  return {
    atMicros,
    stampMicros: atMicros,
    source: addressOf(parts.get("<") ?? "198.51.100.1"),
    target: addressOf(parts.get(">") ?? "192.0.2.1"),
    protocol: udp ? protocolNumber.udp : protocolNumber.tcp,
    port: Number(parts.get("")),
    sourcePort: 1024 + (packet % 60_000),
    flags: udp ? 0 : flagsOf(parts.get("!") ?? "syn"),
    sequenceNumber: udp ? 9 * 65536 : 3_000_000_000 + packet,
    ipId: udp ? packet % 65536 : 0,
  };
}

function microsOf(text: string): number {
  const bare = text.replace("-", "");
  const micros = bare.endsWith("us") ? Number(bare.slice(0, -2)) : parseDuration(bare);
  if (micros === undefined || Number.isNaN(micros)) throw new Error(`not a time: ${text}`);
  return text === bare ? micros : -micros;
}

function addressOf(text: string): Uint32Array {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

function flagsOf(text: string): number {
  const names = text.split(",").filter((name) => name !== "") as TcpFlag[];
  return names.reduce((bits, name) => bits | tcpFlag[name], 0);
}
