import type { Clock } from "../clock.ts";

/** A scrape waits so long for nftables, which is busy while a large ruleset is loaded, and then shows what it last heard. */
const patienceMs = 500;

/**
 * How many packets the gate has dropped, which only the kernel knows; asked for at each scrape. Undefined until the kernel has
 * told once: the count outlives the agent, and one that began at zero would be taken for a burst of drops.
 */
export class GuardedDrops {
  private readonly clock: Clock;
  private readonly failed: (reason: string) => void;
  private ask: (() => Promise<number | undefined>) | undefined;
  private last: number | undefined;
  private asking: Promise<void> | undefined;
  private fails = false;

  /** `failed` hears why the kernel could not be asked, once for each time that this begins. */
  constructor(clock: Clock, failed: (reason: string) => void) {
    this.clock = clock;
    this.failed = failed;
  }

  /** From now on the kernel is asked like this; undefined: there is no such counter now. */
  askBy(ask: () => Promise<number | undefined>): void {
    this.ask = ask;
  }

  /** The count, at most half a second later. Never rejects. */
  async read(): Promise<number | undefined> {
    const { ask } = this;
    if (ask === undefined) return undefined;
    this.asking ??= this.refresh(ask).finally(() => {
      this.asking = undefined;
    });
    const { asking } = this;
    await new Promise<void>((resolve) => {
      const timer = this.clock.after(patienceMs, resolve);
      void asking.then(() => {
        timer.cancel();
        resolve();
      });
    });
    return this.last;
  }

  private async refresh(ask: () => Promise<number | undefined>): Promise<void> {
    try {
      this.last = (await ask()) ?? this.last;
      this.fails = false;
    } catch (error) {
      if (!this.fails) this.failed(error instanceof Error ? error.message : String(error));
      this.fails = true;
    }
  }
}
