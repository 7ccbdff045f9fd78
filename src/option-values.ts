import { type Cidr, familyOfCidr, parseCidr } from "./policy/address.ts";
import { parseDuration } from "./policy/duration.ts";
import { isNamespace, isObjectName } from "./policy/field.ts";
import { expandRange, type Port, parsePortRange } from "./policy/port.ts";

/** How the text of one option becomes a value. */
export interface ValueKind<Value> {
  /** Stands for the value in usage texts. */
  readonly metavar: string;
  /** The value, or undefined where the text is none. */
  readonly read: (text: string) => Value | undefined;
  /** Completes "X is not …" and says what to write. */
  readonly expected: string;
}

/** Where the HTTP port listens; port 0 takes a free one. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A file or folder. */
export const pathValue: ValueKind<string> = {
  metavar: "PATH",
  read: (text) => (text === "" || text.includes("\0") ? undefined : text),
  expected: "a path: name a file or folder",
};

/** A Kubernetes namespace: a DNS label. */
export const namespaceValue: ValueKind<string> = {
  metavar: "NS",
  read: (text) => (isNamespace(text) ? text : undefined),
  expected: "a namespace: use lower-case letters, digits and hyphens",
};

/** The name of a Node; empty: none. */
export const nodeNameValue: ValueKind<string> = {
  metavar: "NAME",
  read: (text) => (text === "" || isObjectName(text) ? text : undefined),
  expected: "the name of a Node: see kubectl get nodes",
};

/** A ConfigMap by namespace and name. */
export const configMapValue: ValueKind<{ readonly namespace: string; readonly name: string }> = {
  metavar: "NS/NAME",
  read: (text) => {
    const [namespace = "", name = "", ...rest] = text.split("/");
    return rest.length === 0 && isNamespace(namespace) && isObjectName(name) ? { namespace, name } : undefined;
  },
  expected: "a ConfigMap: write namespace/name",
};

/** A file that may be left out; empty: none. */
export const optionalPathValue: ValueKind<string> = {
  metavar: "PATH",
  read: (text) => (text.includes("\0") ? undefined : text),
  expected: "a path: name a file",
};

/** A unix socket: its path has to fit the 107 bytes of sun_path, unix(7). */
export const socketValue: ValueKind<string> = {
  metavar: "PATH",
  read: (text) => (text.includes("\0") || text === "" || Buffer.byteLength(text) > 107 ? undefined : text),
  expected: "a socket's path: use 1 to 107 bytes",
};

/** A network interface as the kernel allows it to be called (dev_valid_name), or `any`. */
export const interfaceValue: ValueKind<string> = {
  metavar: "NAME",
  read: (text) => (/^[^\s/:]{1,15}$/.test(text) && text !== "." && text !== ".." ? text : undefined),
  expected: "an interface: write a name such as eth0, or any",
};

/** One port or a range of them. */
export const portsValue: ValueKind<readonly Port[]> = {
  metavar: "PORT",
  read: (text) => {
    const range = parsePortRange(text);
    return range === undefined ? undefined : expandRange(range);
  },
  expected: "a port: write 22/tcp or 6000-6010/udp",
};

/** A range of addresses or a single one. */
export const cidrValue: ValueKind<Cidr> = {
  metavar: "CIDR",
  read: parseCidr,
  expected: "an address range: write 192.0.2.0/24, 2001:db8::/32 or one address, with no bits set beyond the prefix",
};

/** The shortest prefixes that may be trusted: 10.0.0.0/8 and fc00::/7 are the widest private ranges there are. */
const trustPrefixMin = { ipv4: 8, ipv6: 7 } as const;

/** A range that passes the gate. One that holds a good part of all addresses would make the gate pointless. */
export const trustValue: ValueKind<Cidr> = {
  metavar: "CIDR",
  read: (text) => {
    const cidr = parseCidr(text);
    if (cidr === undefined) return undefined;
    const family = familyOfCidr(cidr);
    const prefix = family === "ipv4" ? cidr.prefixBits - 96 : cidr.prefixBits;
    return prefix < trustPrefixMin[family] ? undefined : cidr;
  },
  expected: `a range to trust: write 192.0.2.0/24 or 2001:db8::/32, no wider than /${trustPrefixMin.ipv4} for IPv4 and /${trustPrefixMin.ipv6} for IPv6, for the gate would keep nobody out`,
};

/** `127.0.0.1:9780`, `[::1]:9780`, `localhost:9780`. */
export const hostPortValue: ValueKind<HostPort> = {
  metavar: "HOST:PORT",
  read: (text) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
    const host = match?.[1] ?? match?.[2];
    return host === undefined || Number(match?.[3]) > 65535 ? undefined : { host, port: Number(match?.[3]) };
  },
  expected: "a host and a port: write 127.0.0.1:9780 or [::1]:9780",
};

/** A length of time in microseconds; no longer than a timer can be set for (24 days). */
export const durationValue: ValueKind<number> = {
  metavar: "D",
  read: (text) => {
    const micros = parseDuration(text);
    return micros === undefined || micros > 24 * 24 * 3600e6 ? undefined : micros;
  },
  expected: "a duration: write 90s, 10m or 1h, no longer than 576h",
};

/** A whole number within bounds. */
export function countValue(min: number, max: number): ValueKind<number> {
  return {
    metavar: "N",
    read: (text) => (/^\d{1,15}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined),
    expected: `a number from ${min} to ${max}`,
  };
}

/** Where packets are seen: on the links, or in a log that the firewall writes. */
export type CaptureChoice =
  | { readonly kind: "live" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "journal" }
  | { readonly kind: "input" };

/** `live`, `log:/var/log/kern.log`, `journal`, or `-` for a log on standard input. */
export const captureValue: ValueKind<CaptureChoice> = {
  metavar: "SOURCE",
  read: (text) => {
    if (text === "live" || text === "journal") return { kind: text };
    if (text === "-") return { kind: "input" };
    const path = /^log:(.+)$/.exec(text)?.[1];
    return path === undefined || path.includes("\0") ? undefined : { kind: "file", path };
  },
  expected: "a capture: write live, log:PATH, journal, or - for a log on standard input",
};

/** What a firewall's rule puts before the packets that it logs: iptables takes 29 characters. */
export const logPrefixValue: ValueKind<string> = {
  metavar: "TEXT",
  read: (text) => (/^(?=.*[^ ])[\x20-\x7e]{1,29}$/.test(text) && !/["\\$]|^ |IN=/.test(text) ? text : undefined),
  expected: "a prefix: use 1 to 29 printable characters without quotes, such as portknock",
};

/** One word of a closed list. */
export function choiceValue<const Choice extends string>(choices: readonly Choice[]): ValueKind<Choice> {
  return {
    metavar: choices.join("|"),
    read: (text) => choices.find((choice) => choice === text),
    expected: `one of ${choices.join(", ")}`,
  };
}

/** What a switch may be set to in the environment. */
export const switchValue: ValueKind<boolean> = {
  metavar: "true|false",
  read: (text) => {
    if (["true", "1", "yes", "on"].includes(text)) return true;
    return ["false", "0", "no", "off", ""].includes(text) ? false : undefined;
  },
  expected: "true or false",
};
