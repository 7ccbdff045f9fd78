import { LineReader } from "../line-reader.ts";

/** A link's line of `ip monitor` is some 200 bytes. */
const mostLineBytes = 64 * 1024;

/** The index and the flags of a line that speaks of a link; lines of addresses and of deleted links have none there. */
const linkLine = /^(\d+): \S+ <([A-Z0-9_,-]*)>/;

/**
 * How often each link was told to be down. Who only looks at a link from time to time does not see that it was down
 * for a moment, and a capture that was open then has gone deaf. Reads what `ip monitor link` prints (iproute2 6.1):
 *
 *     3: va@vb: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group default
 *         link/ether f2:ea:6f:76:85:03 brd ff:ff:ff:ff:ff:ff
 *     3: va@vb: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default
 */
export class LinkFalls {
  readonly #counts = new Map<number, number>();
  #lines = new LineReader(mostLineBytes);

  /** Takes what the monitor printed, however it is cut. */
  read(chunk: Uint8Array): void {
    const lines = this.#lines.read(chunk);
    if (lines === undefined) this.#lines = new LineReader(mostLineBytes);
    for (const line of lines ?? []) this.#readLine(line);
  }

  /** From 0, for a link's index. */
  of(index: number): number {
    return this.#counts.get(index) ?? 0;
  }

  /** Forgets all links but these. */
  keep(indexes: ReadonlySet<number>): void {
    for (const index of [...this.#counts.keys()]) if (!indexes.has(index)) this.#counts.delete(index);
  }

  #readLine(line: string): void {
    const [, index, flags] = linkLine.exec(line) ?? [];
    if (index === undefined || flags === undefined || flags.split(",").includes("UP")) return;
    this.#counts.set(Number(index), this.of(Number(index)) + 1);
  }
}
