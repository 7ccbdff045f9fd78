import type { Drained } from "./pcap-session.ts";

/**
 * Judges from what a tap comes across whether packets still wake it. libuv stops watching the descriptor when a link goes
 * down, and tells only by one more wake-up; after the link is up again packets come in that nobody is woken for.
 *
 * | what happens | means |
 * |---|---|
 * | a wake-up without a packet | the link went down; right after opening only that frames came from before the filter |
 * | a look that finds packets | they came this moment, or the wake-up of a link that went down brought packets too, and has passed for any other |
 * | a second one, and no wake-up in between | the latter |
 */
export class Hearing {
  readonly #name: string;
  #hasLooked = false;
  #foundUnheard = false;

  /** Of the interface, for the sentences. */
  constructor(name: string) {
    this.#name = name;
  }

  /** What a wake-up has brought. Undefined, or the sentence that says why the tap is deaf now. */
  woken(drained: Drained): string | undefined {
    this.#foundUnheard = false;
    if (drained === "failed") return this.#failed();
    if (drained === "packets" || !this.#hasLooked) return undefined;
    return `The capture on ${this.#name} was interrupted: the link went down.`;
  }

  /** What a look without a wake-up has found; answers as `woken` does. */
  looked(drained: Drained): string | undefined {
    this.#hasLooked = true;
    if (drained === "failed") return this.#failed();
    const isDeaf = this.#foundUnheard && drained === "packets";
    this.#foundUnheard = drained === "packets";
    return isDeaf ? `The capture on ${this.#name} was interrupted: packets come and nobody is woken.` : undefined;
  }

  #failed(): string {
    return `The capture on ${this.#name} failed: the link is gone.`;
  }
}
