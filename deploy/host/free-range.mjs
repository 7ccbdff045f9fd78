// Finds an IPv4 range that this machine does not use, for a link of our own.
import { ip } from "./namespaces.mjs";

/** Small ranges in corners that few use; the first that no address and no route touches is taken. */
const candidates = ["10.213.77.0", "172.29.213.0", "192.168.213.0", "10.87.113.0", "198.18.213.0"];

function number(address) {
  return address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

/** Whether 30 bits of `base` and the range overlap; the default route overlaps everything and does not count. */
function touches(base, range) {
  const [address, bits = "32"] = range.split("/");
  const size = 2 ** (32 - Math.min(Number(bits), 30));
  return Math.floor(number(address) / size) === Math.floor(number(base) / size);
}

/** Two addresses of one unused /30: this host's and the visitor's. Undefined when all candidates are in use. */
export function freePair() {
  const routes = JSON.parse(ip("-j", "-4", "route", "show", "table", "all")).map((route) => route.dst);
  const used = routes.filter((range) => /^[\d.]+(\/\d+)?$/.test(range));
  const base = candidates.find((candidate) => !used.some((range) => touches(candidate, range)));
  if (base === undefined) return undefined;
  const prefix = base.slice(0, base.lastIndexOf("."));
  return { host: `${prefix}.1`, visitor: `${prefix}.2` };
}
