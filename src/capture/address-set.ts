import type { Address } from "../policy/address.ts";

/**
 * A fixed set of addresses that is asked once per packet: open addressing, so that asking makes no garbage. Thousands of
 * addresses are usual on a node that runs kube-proxy in IPVS mode.
 */
export class AddressSet {
  readonly #words: Uint32Array;
  readonly #used: Uint8Array;
  readonly #mask: number;

  constructor(addresses: readonly Address[]) {
    let slots = 16;
    while (slots < addresses.length * 2) slots *= 2;
    this.#mask = slots - 1;
    this.#words = new Uint32Array(slots * 4);
    this.#used = new Uint8Array(slots);
    for (const address of addresses) {
      const slot = this.#slotOf(address);
      this.#used[slot] = 1;
      this.#words.set(address, slot * 4);
    }
  }

  /** Whether the address is one of the set. */
  has(address: Address): boolean {
    return this.#used[this.#slotOf(address)] === 1;
  }

  /** Where the address is, or the free place where it would be. */
  #slotOf(address: Address): number {
    let slot = mixAddress(address) & this.#mask;
    while (this.#used[slot] === 1 && !this.#holds(slot, address)) slot = (slot + 1) & this.#mask;
    return slot;
  }

  #holds(slot: number, address: Address): boolean {
    const at = slot * 4;
    return (
      this.#words[at + 3] === address[3] &&
      this.#words[at + 2] === address[2] &&
      this.#words[at + 1] === address[1] &&
      this.#words[at] === address[0]
    );
  }
}

/** A spread of an address over 32 bits; the addresses are this host's own, so nobody can choose them to collide. */
function mixAddress(address: Address): number {
  let mixed = 0;
  for (let word = 0; word < 4; word++) mixed = Math.imul(mixed ^ (address[word] ?? 0), 0x9e3779b1) ^ (mixed >>> 15);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}
