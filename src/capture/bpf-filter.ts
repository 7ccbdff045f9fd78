import { type PortKey, type Protocol, portKey, protocols } from "../policy/port.ts";
import type { Watch } from "./packet-source.ts";

/**
 * Watch to pcap-filter(7) text, pure. The filter is the narrowest that still fits: the kernel throws away what nobody
 * watches before it costs anything, and what the filter lets through too much is dropped in user space (`not-watched`).
 *
 * Measured with libpcap 1.10.3: a comparison costs one or two instructions, but the optimizer's time grows with more than
 * the square of their number: 128 ranges compile in about 50 ms, 512 in two seconds. Hence the bound on ranges. The kernel takes
 * 4096 instructions (BPF_MAXINSNS) and, before Linux 6.7, 20 KiB of the program translated (net.core.optmem_max); above,
 * libpcap silently filters in user space.
 *
 * VLAN: on reception Linux takes the outer tag off every frame before a tap sees it, so the plain expression matches
 * untagged and tagged frames alike (libpcap puts the tag back into what we read). Only a second tag is in the bytes. The
 * keyword `vlan` would shift every later offset and double the program; the inner tags are read with plain offsets instead,
 * against few, wide ranges, since stacked tags are rare.
 *
 * Direction: `inbound` is not used. libpcap filters the first frames after opening once more in user space, where the
 * kernel's packet type cannot be loaded and the program rejects: the first knock after every start would be lost (seen with
 * 1.10.3). What this host sends is told by its source address instead, or by the cooked header.
 */

/** How a tap's frames begin, as far as the filter's text depends on it. */
export type FilterLink = "ethernet" | "cooked" | "other";

/** The most port ranges of one protocol in the main expression. */
const mostRanges = 64;
/** The most port ranges of one protocol behind stacked tags. */
const mostStackedRanges = 4;
/** Ranges that cover more ports than this are no narrower than the protocol, and not worth comparing. */
const widestPorts = 32768;

/** IPv6 extension headers: what begins with one passes, user space walks the chain. */
const extensionHeaders = [0, 43, 44, 51, 60, 135, 139, 140] as const;
const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17 };

/** Ports from first to last. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/** Where a packet's fields are, for one place of the IP header in a frame. */
interface Fields {
  readonly isFour: string;
  readonly isSix: string;
  /** Whether an IPv4 packet of this protocol has ports where `portsFour` says. */
  readonly four: (protocol: Protocol) => string;
  readonly portFour: (protocol: Protocol) => string;
  readonly flagsFour: string;
  /** Set where `portFour` and `flagsFour` only hold without IPv4 options: what says that there are some. */
  readonly optionsFour?: string;
  readonly nextSix: string;
  readonly portSix: string;
  readonly flagsSix: string;
}

const plainFields: Fields = {
  isFour: "ip",
  isSix: "ip6",
  four: (protocol) => protocol,
  portFour: (protocol) => `${protocol}[2:2]`,
  flagsFour: "tcp[13]",
  nextSix: "ip6[6]",
  portSix: "ip6[42:2]",
  flagsSix: "ip6[53]",
};

/** The filter for one kind of link. */
export function filterText(watch: Watch, link: FilterLink): string {
  return [expression(watch, plainFields, mostRanges), ...stacked(watch, link)].join(" or ");
}

/** Frames with one or two tags in their bytes. Only these two kinds of link have a place for tags. */
function stacked(watch: Watch, link: FilterLink): string[] {
  if (link === "other") return [];
  const typeAt = link === "ethernet" ? 12 : 14;
  const tag = (at: number) => tagTypes.map((type) => `ether[${at}:2] = ${type}`).join(" or ");
  const behind = (at: number) => expression(watch, fieldsBehindTag(at), mostStackedRanges);
  // The first type of a cooked frame is followed by the payload, as in Ethernet: two bytes of tag, two of the next type.
  const inner = typeAt + 4;
  return [`((${tag(typeAt)}) and (${behind(inner)} or ((${tag(inner)}) and (${behind(inner + 4)}))))`];
}

const tagTypes = ["0x8100", "0x88a8", "0x9100"] as const;

/**
 * Fields by their distance from the frame's begin; the type at `typeAt` is followed by an IP header. With IPv4 options user
 * space decides: an offset computed from the header's length reads the wrong bytes in a cooked capture, whose offsets
 * libpcap shifts only where they are constant (seen with 1.10.3).
 */
function fieldsBehindTag(typeAt: number): Fields {
  const ip = typeAt + 2;
  const noFragment = `ether[${ip + 6}:2] & 0x1fff = 0`;
  return {
    isFour: `ether[${typeAt}:2] = 0x0800`,
    isSix: `ether[${typeAt}:2] = 0x86dd`,
    four: (protocol) => `ether[${ip + 9}] = ${protocolNumbers[protocol]} and ${noFragment}`,
    portFour: () => `ether[${ip + 22}:2]`,
    flagsFour: `ether[${ip + 33}]`,
    optionsFour: `ether[${ip}] & 15 > 5`,
    nextSix: `ether[${ip + 6}]`,
    portSix: `ether[${ip + 42}:2]`,
    flagsSix: `ether[${ip + 53}]`,
  };
}

/** What is watched, of both families, where the fields say. Nothing watched matches nothing. */
function expression(watch: Watch, fields: Fields, most: number): string {
  const watched = protocols
    .map((protocol) => ({ protocol, spans: narrow(spansOf(watch.ports, protocol), most) }))
    .filter(({ spans }) => spans.length > 0);
  if (watched.length === 0) return "less 1";
  const { optionsFour } = fields;
  const four = watched.map(({ protocol, spans }) => {
    const known = all(flags(watch, protocol, fields.flagsFour), within(fields.portFour(protocol), spans));
    return all(fields.four(protocol), optionsFour === undefined || known === "" ? known : any([optionsFour, known]));
  });
  const six = watched.map(({ protocol, spans }) =>
    all(
      `${fields.nextSix} = ${protocolNumbers[protocol]}`,
      flags(watch, protocol, fields.flagsSix),
      within(fields.portSix, spans),
    ),
  );
  const chained = extensionHeaders.map((header) => `${fields.nextSix} = ${header}`);
  return `(${all(fields.isFour, any(four))} or ${all(fields.isSix, any([...six, ...chained]))})`;
}

const any = (parts: readonly string[]): string => `(${parts.join(" or ")})`;

/** Empty where nothing is asked for. */
function all(...parts: readonly (string | undefined)[]): string {
  const asked = parts.filter((part) => part !== undefined && part !== "");
  return asked.length === 0 ? "" : `(${asked.join(" and ")})`;
}

function flags(watch: Watch, protocol: Protocol, field: string): string | undefined {
  const { must, mustNot } = watch.flags;
  return protocol === "udp" || (must | mustNot) === 0 ? undefined : `${field} & ${must | mustNot} = ${must}`;
}

/** Undefined where the ranges are too wide to be worth a comparison. */
function within(field: string, spans: readonly Span[]): string | undefined {
  const ports = spans.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (ports > widestPorts) return undefined;
  return any(
    spans.map(({ first, last }) =>
      first === last ? `${field} = ${first}` : `(${field} >= ${first} and ${field} <= ${last})`,
    ),
  );
}

/** The ports of one protocol as ascending ranges that do not touch. A thousand policies watch most ports, so nothing is sorted. */
export function spansOf(ports: ReadonlySet<PortKey>, protocol: Protocol): Span[] {
  const base = portKey({ protocol, port: 0 });
  const isWatched = new Uint8Array(65536);
  for (const key of ports) if (key >= base && key < base + 65536) isWatched[key - base] = 1;
  const spans: { first: number; last: number }[] = [];
  for (let port = 0; port < 65536; port++) {
    if (isWatched[port] === 0) continue;
    const previous = spans.at(-1);
    if (previous !== undefined && port === previous.last + 1) previous.last = port;
    else spans.push({ first: port, last: port });
  }
  return spans;
}

/** At most `most` ranges: the smallest gaps are closed, so that as few unwatched ports as possible come in. */
export function narrow(spans: readonly Span[], most: number): Span[] {
  const gaps = spans.slice(1).map((span, at) => ({ at, width: span.first - (spans[at]?.last ?? 0) }));
  const widest = gaps.sort((a, b) => b.width - a.width || a.at - b.at).slice(0, most - 1);
  const ends = [...widest.map(({ at }) => at).sort((a, b) => a - b), spans.length - 1];
  if (spans.length === 0) return [];
  let from = 0;
  return ends.map((end) => {
    const span = { first: spans[from]?.first ?? 0, last: spans[end]?.last ?? 0 };
    from = end + 1;
    return span;
  });
}
