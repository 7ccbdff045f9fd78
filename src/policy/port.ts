/** The transport protocols that can be knocked on and opened, as nftables names them. */
export const protocols = ["tcp", "udp"] as const;
export type Protocol = (typeof protocols)[number];

/** One port of one protocol, 1 to 65535. Written `22/tcp`. */
export interface Port {
  readonly protocol: Protocol;
  readonly port: number;
}

/** Protocol and port in one number, 0 to 131071, for look-up tables: UDP has bit 16. */
export type PortKey = number;

/** The key of a port. */
export function portKey(port: Port): PortKey {
  return (port.protocol === "udp" ? 65536 : 0) + port.port;
}

/** The port of a key. */
export function portOfKey(key: PortKey): Port {
  return { protocol: key >= 65536 ? "udp" : "tcp", port: key & 0xffff };
}

/** `22/tcp`. */
export function formatPort(port: Port): string {
  return `${port.port}/${port.protocol}`;
}

/** Ports from first to last of one protocol; a single port has both equal. */
export interface PortRange {
  readonly protocol: Protocol;
  readonly first: number;
  readonly last: number;
}

/** The forms `22`, `22/tcp` and `6000-6010/udp`. No leading zeros: other programs read them as octal. */
export const portRangePattern = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?(?:\/(tcp|udp))?$/;

/** Reads `22`, `22/tcp` or `6000-6010/udp`; without a protocol tcp. Undefined where it is none of these. */
export function parsePortRange(text: string): PortRange | undefined {
  const match = portRangePattern.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  if (last > 65535 || first > last) return undefined;
  return { protocol: match[3] === "udp" ? "udp" : "tcp", first, last };
}

/** Reads one port: `22`, `22/tcp`. */
export function parsePort(text: string): Port | undefined {
  const range = parsePortRange(text);
  return range === undefined || range.first !== range.last || text.includes("-")
    ? undefined
    : { protocol: range.protocol, port: range.first };
}

/** Every port of a range, ascending. */
export function expandRange(range: PortRange): Port[] {
  return Array.from({ length: range.last - range.first + 1 }, (_, at) => ({
    protocol: range.protocol,
    port: range.first + at,
  }));
}
