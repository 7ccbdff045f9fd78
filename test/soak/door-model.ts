/** One door of one source, as the visitors know it. Times are milliseconds of `performance.now()`. */
export interface Door {
  readonly source: string;
  readonly policy: SoakPolicy;
  /** Somebody is at it: what is open changes. */
  busy: boolean;
  /** Changes whenever `open` does, so that a listing taken meanwhile is not judged. */
  version: number;
  /** When it closes by itself, at the earliest and the latest; undefined: it is closed. */
  open: { readonly earliest: number; readonly latest: number } | undefined;
}

/** What can be knocked on. */
export interface SoakPolicy {
  readonly name: string;
  readonly steps: readonly string[];
  readonly closedBy?: readonly string[];
  /** As nft prints them: `tcp . 4101`. */
  readonly ports: readonly string[];
  /** Infinity: until closed. */
  readonly openMs: number;
}

/** An element as it should be named: `10.77.16.1 . tcp . 4101`. */
export type ElementKey = string;

/** A door that is not as it should be. */
export interface Wrong {
  readonly kind: "open" | "closed";
  readonly key: ElementKey;
}

/** A door may close this much earlier or later than reckoned. */
const toleranceMs = 1000;
/** A table that somebody changed is put back within two seconds; so long nothing is judged. */
const mendMs = 2500;

/** What should be open: reckoned from what visitors and faults did, never from what the agent says. */
export class DoorModel {
  readonly doors: readonly Door[];
  readonly #sources: ReadonlySet<string>;
  #mendedAt = 0;
  #outages = 0;
  #outageCount = 0;

  constructor(sources: readonly string[], policies: readonly SoakPolicy[]) {
    this.#sources = new Set(sources);
    this.doors = sources.flatMap((source) =>
      policies.map((policy) => ({ source, policy, busy: false, version: 0, open: undefined })),
    );
  }

  /** The kernel's table was changed by others just now. */
  tableSpoiled(): void {
    this.#mendedAt = performance.now() + mendMs;
  }

  /** Whether the table has to be as it should. */
  get tableHolds(): boolean {
    return performance.now() > this.#mendedAt;
  }

  /** Knocks may be lost from now until the function returned is called. */
  beginOutage(): () => void {
    this.#outages++;
    this.#outageCount++;
    return () => {
      this.#outages--;
    };
  }

  /** Tells later whether there was an outage between now and then. */
  watchForOutage(): () => boolean {
    const [count, now] = [this.#outageCount, this.#outages];
    return () => now > 0 || this.#outageCount !== count;
  }

  opened(door: Door, firstKnockAt: number): void {
    const { openMs } = door.policy;
    door.open = { earliest: firstKnockAt + openMs, latest: performance.now() + openMs };
    door.version++;
  }

  closed(door: Door): void {
    door.open = undefined;
    door.version++;
  }

  /**
   * Compares the elements of a listing, whose taking began and ended at these times, with what should be open. Doors
   * that somebody was at, before or after, are left out.
   */
  judge(elements: ReadonlySet<ElementKey>, began: number, ended: number, before: readonly number[]): Wrong[] {
    const strange = [...elements].filter((key) => !this.#sources.has(key.split(" ")[0] ?? ""));
    const wrong: Wrong[] = strange.map((key) => ({ kind: "open", key }));
    for (const [at, door] of this.doors.entries()) {
      if (door.busy || door.version !== before[at]) continue;
      for (const port of door.policy.ports) {
        const key = `${door.source} . ${port}`;
        const { earliest, latest } = door.open ?? { earliest: -Infinity, latest: -Infinity };
        if (elements.has(key) && began > latest + toleranceMs) wrong.push({ kind: "open", key });
        if (!elements.has(key) && ended < earliest - toleranceMs) wrong.push({ kind: "closed", key });
      }
    }
    return wrong;
  }

  /** The versions of all doors; -1 where somebody is at it. */
  versions(): number[] {
    return this.doors.map(({ busy, version }) => (busy ? -1 : version));
  }
}
