import type { Knock } from "../decode/knock.ts";

/**
 * Remembers the packets of the last moment, so that one that was seen twice counts once: by two taps (a bond and its
 * port, a VLAN and the link below, a bridge), twice by the tap `any`, or by the old and the new capture child while they
 * overlap.
 *
 * Two taps stamp one packet each for itself, some microseconds apart (measured: 5 to 35; the kernel shares a stamp only
 * when somebody has asked for it), so the same packet means: the same addresses, ports, protocol, sequence number and IP id,
 * and less than 2 ms between the two. By their stamps, or by the monotonic time made of them: when somebody sets the
 * clock between two taps the stamps lie apart, and two children may read the clock a little differently. A network that
 * really delivers one packet twice within 2 ms is taken for the same thing, which is no loss; a client's retransmission
 * comes later and is the matcher's business.
 *
 * Fixed memory: 8,192 sets of eight, so that some ten thousand packets may lie between the two; what came first into a set
 * gives way, whatever the clock said then. The hash is keyed, so that nobody outside can choose packets that push
 * others out.
 */
export class RecentPackets {
  readonly #words = new Uint32Array(sets * ways * wordsPerPacket);
  readonly #stamps = new Float64Array(sets * ways).fill(Number.NEGATIVE_INFINITY);
  readonly #times = new Float64Array(sets * ways).fill(Number.NEGATIVE_INFINITY);
  /** The place of each set that is written next. */
  readonly #next = new Uint8Array(sets);
  readonly #key: number;
  readonly #packet = new Uint32Array(wordsPerPacket);

  /** `key` is any 32 random bits. */
  constructor(key: number) {
    this.#key = key;
  }

  /** Whether this packet was seen a moment ago; remembers it. */
  isRepeat(knock: Knock): boolean {
    const packet = this.#packet;
    packet.set(knock.source, 0);
    packet.set(knock.target, 4);
    packet[8] = (knock.sourcePort << 16) | knock.port;
    packet[9] = knock.sequenceNumber;
    packet[10] = (knock.ipId << 16) | (knock.protocol << 8) | knock.flags;
    const set = this.#hash(packet) & (sets - 1);
    if (this.#isKnown(set * ways, knock)) return true;
    this.#take(set, knock);
    return false;
  }

  #isKnown(firstSlot: number, { stampMicros, atMicros }: Knock): boolean {
    for (let slot = firstSlot; slot < firstSlot + ways; slot++) {
      const byStamp = Math.abs((this.#stamps[slot] as number) - stampMicros);
      const byTime = Math.abs((this.#times[slot] as number) - atMicros);
      if ((byStamp < sameMicros || byTime < sameMicros) && this.#holds(slot)) return true;
    }
    return false;
  }

  #take(set: number, { stampMicros, atMicros }: Knock): void {
    const way = this.#next[set] as number;
    this.#next[set] = (way + 1) % ways;
    const slot = set * ways + way;
    this.#stamps[slot] = stampMicros;
    this.#times[slot] = atMicros;
    this.#words.set(this.#packet, slot * wordsPerPacket);
  }

  #holds(slot: number): boolean {
    const from = slot * wordsPerPacket;
    for (let word = 0; word < wordsPerPacket; word++) {
      if (this.#words[from + word] !== this.#packet[word]) return false;
    }
    return true;
  }

  #hash(packet: Uint32Array): number {
    let hash = this.#key;
    for (let word = 0; word < wordsPerPacket; word++) {
      hash = Math.imul(hash ^ (packet[word] ?? 0), 0x85ebca6b);
      hash ^= hash >>> 13;
    }
    hash = Math.imul(hash, 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}

const sets = 8192;
const ways = 8;
const wordsPerPacket = 11;
const sameMicros = 2000;
