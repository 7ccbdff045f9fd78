import { type Address, parseAddress } from "../policy/address.ts";
import type { Link, LinkState } from "./packet-source.ts";

/** Links whose addresses Kubernetes keeps for services: never gated. */
const serviceLinks: ReadonlySet<string> = new Set(["kube-ipvs0", "nodelocaldns"]);

/**
 * Reads the output of `ip -j addr show` (iproute2 6.1), pure. Undefined where it is something else. Sample, shortened:
 *
 *     [{"ifindex":2,"ifname":"eth0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"link_type":"ether",
 *       "addr_info":[{"family":"inet","local":"192.0.2.10","prefixlen":24,"scope":"global"}]}]
 */
export function parseAddressList(output: string): LinkState | undefined {
  const listed = parseJson(output);
  if (!Array.isArray(listed)) return undefined;
  const entries = listed.filter((entry) => !isEmpty(entry)).map(parseEntry);
  if (!entries.every((entry) => entry !== undefined)) return undefined;
  return {
    localAddresses: entries.flatMap(({ addresses }) => addresses),
    exemptAddresses: entries.filter(({ link }) => serviceLinks.has(link.name)).flatMap(({ addresses }) => addresses),
    links: entries.map(({ link }) => link),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Some versions of ip print `{}` for what they leave out. */
function isEmpty(entry: unknown): boolean {
  return typeof entry === "object" && entry !== null && Object.keys(entry).length === 0;
}

function parseEntry(entry: unknown): { link: Link; addresses: Address[] } | undefined {
  const { ifname, ifindex, flags, link_type: hardware, addr_info: listed } = asRecord(entry);
  if (typeof ifname !== "string" || !/^[^\s/]{1,15}$/.test(ifname)) return undefined;
  if (typeof ifindex !== "number" || !Number.isSafeInteger(ifindex) || !Array.isArray(flags)) return undefined;
  if (typeof hardware !== "string" || !(listed === undefined || Array.isArray(listed))) return undefined;
  const link = {
    name: ifname,
    index: ifindex,
    up: flags.includes("UP"),
    loopback: flags.includes("LOOPBACK"),
    hardware,
  };
  const addresses = (listed ?? []).filter((info) => !isEmpty(info)).map(parseLocal);
  if (!addresses.every((address) => address !== undefined)) return undefined;
  return { link, addresses: addresses.filter((address) => !isLoopback(address)) };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function parseLocal(info: unknown): Address | undefined {
  const { local } = asRecord(info);
  return typeof local === "string" ? parseAddress(local) : undefined;
}

/** 127/8 and ::1: nobody else can reach them. */
function isLoopback(address: Address): boolean {
  if (address[0] !== 0 || address[1] !== 0) return false;
  const last = address[3] ?? 0;
  return address[2] === 0xffff ? last >>> 24 === 127 : address[2] === 0 && last === 1;
}
