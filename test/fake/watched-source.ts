import { setImmediate } from "node:timers/promises";
import type { ConfigSource, Snapshot } from "../../src/config-source/config-source.ts";
import type { ReflectorReport } from "../../src/kubernetes/reflector-report.ts";
import { Watches } from "../../src/kubernetes/watches.ts";
import type { FakeApi } from "./fake-api.ts";
import type { FakeClock } from "./fake-clock.ts";

/** A report that nobody reads. */
export const silentReport: ReflectorReport = { restarted: () => {}, condition: () => {}, handlerFailed: () => {} };

/** Watches of a fake API without chance in their waits. */
export function fakeWatches(client: FakeApi, clock: FakeClock): Watches {
  return new Watches({ client, clock, random: () => 0.5, report: silentReport });
}

/** Lets everything that is due be done. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await setImmediate();
}

/** A source and the snapshots it has delivered. */
export class WatchedSource {
  readonly seen: Snapshot[] = [];
  readonly source: ConfigSource;
  private readonly clock: FakeClock;

  constructor(source: ConfigSource, clock: FakeClock) {
    this.source = source;
    this.clock = clock;
  }

  async start(): Promise<void> {
    await this.source.start((snapshot) => void this.seen.push(snapshot));
  }

  /** The last snapshot when all that is under way has settled. */
  async last(): Promise<Snapshot> {
    await settled();
    this.clock.advance(1000);
    await settled();
    const last = this.seen.at(-1);
    if (last === undefined) throw new Error("nothing was delivered");
    return last;
  }
}
