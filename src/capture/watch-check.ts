import { type DropReason, type Knock, protocolNumber } from "../decode/knock.ts";
import { type Address, type Cidr, contains } from "../policy/address.ts";
import type { PortKey } from "../policy/port.ts";
import { AddressSet } from "./address-set.ts";
import type { Watch } from "./packet-source.ts";

/**
 * What the kernel's filter cannot decide: it is kept small and may let through more ports than are watched, and it knows
 * no addresses, so that these can change without a new capture.
 */
export class WatchCheck {
  readonly #watched: Uint8Array;
  readonly #local: AddressSet;
  readonly #extra: readonly Cidr[] | "everything";
  readonly #flags: Watch["flags"];

  constructor(watch: Watch, localAddresses: readonly Address[]) {
    this.#watched = portBitmap(watch.ports);
    this.#local = new AddressSet(localAddresses);
    this.#extra = watch.extraTargets;
    this.#flags = watch.flags;
  }

  /**
   * Why the receiver should not see this knock; undefined: it should. What comes from one of our own addresses was sent by
   * this host, or is a lie.
   */
  verdict(knock: Knock): DropReason | undefined {
    const key = knock.protocol === protocolNumber.udp ? knock.port | 0x10000 : knock.port;
    if (((this.#watched[key >> 3] ?? 0) & (1 << (key & 7))) === 0) return "not-watched";
    if (knock.protocol === protocolNumber.tcp && !this.#hasFlags(knock.flags)) return "not-watched";
    if (this.#local.has(knock.source)) return "outgoing";
    return this.#isTarget(knock.target) ? undefined : "not-local";
  }

  #hasFlags(flags: number): boolean {
    return (flags & (this.#flags.must | this.#flags.mustNot)) === this.#flags.must;
  }

  #isTarget(target: Address): boolean {
    if (this.#extra === "everything" || this.#local.has(target)) return true;
    for (const cidr of this.#extra) if (contains(cidr, target)) return true;
    return false;
  }
}

/** One bit for each of the 131,072 port keys. */
function portBitmap(ports: ReadonlySet<PortKey>): Uint8Array {
  const bits = new Uint8Array(131072 / 8);
  for (const key of ports) bits[key >> 3] = (bits[key >> 3] ?? 0) | (1 << (key & 7));
  return bits;
}
