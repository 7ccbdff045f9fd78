import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";

/** What a stranger has found on one port. */
export interface Found {
  /** Attempts that have ended. */
  readonly tries: number;
  /** Those of them that got in. */
  readonly opened: number;
}

const everyMs = 10;

/**
 * A client that tries a few ports every 10 ms, each attempt on its own, so that a silent one holds up no other. It proves
 * that at no moment a port was open; the number of attempts says how closely it looked.
 */
export class Stranger {
  private readonly timer: NodeJS.Timeout;
  private readonly found = new Map<number, { tries: number; opened: number }>();
  private readonly underWay = new Set<Promise<void>>();

  constructor(from: Host, address: string, ports: readonly number[]) {
    for (const port of ports) this.found.set(port, { tries: 0, opened: 0 });
    this.timer = setInterval(() => {
      for (const port of ports) this.track(from.connect(address, port, { timeoutMs: 100 }), port);
    }, everyMs);
  }

  /** Resolves when every port was tried so often: on a busy machine attempts are fewer than the time would allow. */
  async hasTried(times: number): Promise<void> {
    const enough = async () => [...this.found.values()].every(({ tries }) => tries >= times);
    await eventually(enough, { what: `${times} attempts on each port`, timeoutMs: 20_000 });
  }

  /** Resolves to what was found on each port when the last attempt has ended. */
  async stop(): Promise<ReadonlyMap<number, Found>> {
    clearInterval(this.timer);
    await Promise.all(this.underWay);
    return this.found;
  }

  private track(attempt: Promise<string>, port: number): void {
    const seen = this.found.get(port) ?? { tries: 0, opened: 0 };
    const ended = attempt
      .then((outcome) => {
        seen.tries++;
        if (outcome === "open") seen.opened++;
      })
      .finally(() => this.underWay.delete(ended));
    this.underWay.add(ended);
  }
}
