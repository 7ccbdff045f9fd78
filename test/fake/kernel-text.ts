import { tcpFlag } from "../../src/decode/knock.ts";
import { formatAddress, parseAddress } from "../../src/policy/address.ts";
import type { WirePacket } from "../netns/wire-frame.ts";

/** What the kernel logs of a packet, with its sequence number. */
export function kernelText(packet: WirePacket, link = "eth0"): string {
  const { source, target, protocol, port, sourcePort = 40_000, flags = 2, sequenceNumber = 1, ipId = 0 } = packet;
  const isSix = source.includes(":");
  const ip = isSix ? "LEN=60 TC=0 HOPLIMIT=64 FLOWLBL=0" : `LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=${ipId} DF`;
  const [from, to] = [source, target].map((address) => (isSix ? sixText(address) : address));
  const names = Object.entries(tcpFlag).flatMap(([name, bit]) =>
    (flags & bit) === 0 ? [] : [`${name.toUpperCase()} `],
  );
  const transport =
    protocol === "udp"
      ? `PROTO=UDP SPT=${sourcePort} DPT=${port} LEN=9 `
      : `PROTO=TCP SPT=${sourcePort} DPT=${port} SEQ=${sequenceNumber} ACK=0 WINDOW=64240 RES=0x00 ${names.reverse().join("")}URGP=0 `;
  return `IN=${link} OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=${from} DST=${to} ${ip} ${transport}`;
}

/** All eight groups of four digits, as the kernel writes them here. */
function sixText(address: string): string {
  const words = parseAddress(address) ?? new Uint32Array(4);
  if (words[2] === 0xffff) throw new Error(`${formatAddress(words)} is no IPv6 address`);
  const digits = [...words].map((word) => word.toString(16).padStart(8, "0"));
  return digits.flatMap((text) => [text.slice(0, 4), text.slice(4)]).join(":");
}
