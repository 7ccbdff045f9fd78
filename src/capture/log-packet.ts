import { isIpv4Source, isIpv6Source } from "../decode/ip.ts";
import { type DropReason, protocolNumber, tcpFlag } from "../decode/knock.ts";
import type { KnockBuffer } from "../decode/knock-buffer.ts";
import { familyOf, parseAddress } from "../policy/address.ts";

/**
 * What the kernel says of a packet (net/netfilter/nf_log_syslog.c), behind the prefix of the rule:
 *
 *     IN=eth0 OUT= MAC=… SRC=192.0.2.1 DST=192.0.2.9 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=55216 DF PROTO=TCP SPT=42132 DPT=7001 WINDOW=65495 RES=0x00 SYN URGP=0
 *     IN=eth0 OUT= MAC=… SRC=2001:0db8:…:0001 DST=… LEN=49 TC=0 HOPLIMIT=64 FLOWLBL=0 PROTO=UDP SPT=35766 DPT=7000 LEN=9
 *
 * With `--log-tcp-sequence`, in nft `flags tcp sequence`, SEQ= and ACK= stand behind DPT=. An ICMP error has the packet that it is
 * about in brackets behind its own PROTO=. Each piece ends where the next one can first begin, so that a long text costs no more.
 */
const ipText = /^IN=(\S*) OUT=(\S*) (?:(?!SRC=)\S+ )*SRC=(\S+) DST=(\S+) ((?:(?!PROTO=)\S+ )*)PROTO=(\S+)(.*)$/s;
const tcpText = /^ SPT=(\d+) DPT=(\d+) (?:SEQ=(\d+) ACK=\d+ )?WINDOW=\d+ RES=0x[0-9a-f]+ ((?:[A-Z]+ )*)URGP=\d/;
const udpText = /^ SPT=(\d+) DPT=(\d+) LEN=(\d+)(?: |$)/;

/** Where a packet came in, and what it is; or why there is no knock in it. */
export type LogPacket = { readonly in: string } | { readonly dropped: DropReason };

/**
 * Reads the text into `knock`, except the times. Pure; never throws. A text that was cut is refused, for a port that lost its last
 * digit is another port. Without SEQ= the sequence number is 0, so that the source port alone tells a retransmission.
 */
export function readLogPacket(text: string, knock: KnockBuffer): LogPacket {
  const [, link = "", out, source = "", target = "", between = "", protocol, rest = ""] = ipText.exec(text) ?? [];
  if (out === undefined) return { dropped: "truncated" };
  if (link === "" || out !== "") return { dropped: "outgoing" };
  if (protocol !== "TCP" && protocol !== "UDP") return { dropped: "other-protocol" };
  if (Number(/(?:^| )FRAG:(\d+) /.exec(between)?.[1] ?? 0) !== 0) return { dropped: "later-fragment" };
  if (!readAddresses(source, target, knock)) return { dropped: "malformed" };
  const ipId = Number(/(?:^| )ID=(\d+) /.exec(between)?.[1] ?? 0);
  const dropped = protocol === "TCP" ? readTcp(rest, knock) : readUdp(rest, ipId, knock);
  return dropped === undefined ? { in: link } : { dropped };
}

/** Of one family, and not an IPv4 address in the form of an IPv6 one, which would open the door to somebody else. */
function readAddresses(sourceText: string, targetText: string, knock: KnockBuffer): boolean {
  const source = parseAddress(sourceText);
  const target = parseAddress(targetText);
  const isSix = sourceText.includes(":");
  if (source === undefined || target === undefined || targetText.includes(":") !== isSix) return false;
  knock.source.set(source);
  knock.target.set(target);
  if (!isSix) return isIpv4Source(source[3] ?? 0, false);
  return isIpv6Source(source, false) && familyOf(target) === "ipv6";
}

function readTcp(text: string, knock: KnockBuffer): DropReason | undefined {
  const found = tcpText.exec(text);
  if (found === null) return "truncated";
  knock.protocol = protocolNumber.tcp;
  knock.sourcePort = Number(found[1]);
  knock.port = Number(found[2]);
  knock.sequenceNumber = Number(found[3] ?? 0);
  knock.flags = flagsOf(found[4] ?? "");
  knock.ipId = 0;
  return isPort(knock.sourcePort) && isPort(knock.port) && knock.sequenceNumber < 2 ** 32 ? undefined : "malformed";
}

function readUdp(text: string, ipId: number, knock: KnockBuffer): DropReason | undefined {
  const found = udpText.exec(text);
  if (found === null) return "truncated";
  const length = Number(found[3]);
  knock.protocol = protocolNumber.udp;
  knock.sourcePort = Number(found[1]);
  knock.port = Number(found[2]);
  knock.sequenceNumber = (length << 16) >>> 0; // the checksum is not logged
  knock.flags = 0;
  knock.ipId = ipId;
  return [knock.sourcePort, knock.port, length, ipId].every(isPort) ? undefined : "malformed";
}

/** A number of sixteen bits. */
function isPort(number: number): boolean {
  return number <= 0xffff;
}

function flagsOf(names: string): number {
  let flags = 0;
  for (const [name, bit] of Object.entries(tcpFlag)) if (names.includes(name.toUpperCase())) flags |= bit;
  return flags;
}
