import { type Address, copyAddress } from "../policy/address.ts";
import type { FindingKind } from "./finding.ts";
import type { Flow, Step } from "./flow.ts";
import { sameStep } from "./flow.ts";

/** How many ports are remembered that one knock opened. */
const mostOpened = 8;

/** Everything that is known when a port opened after probes. */
export interface Occurrence {
  readonly isCallback: boolean;
  readonly source: Address;
  readonly target: Address;
  readonly opening: Flow;
  readonly steps: readonly Flow[];
  /** The source had been let in without probes before. */
  readonly plainBefore: boolean;
}

/** A port that was open after the steps, and how it had been before. */
export interface OpenedPort {
  readonly step: Step;
  isAfterDenial: boolean;
  failedKnocks: number;
  isPlainBefore: boolean;
}

/** The same source, host and steps, however often, whatever they opened. One owner, bounded. */
export class Suspicion {
  readonly isCallback: boolean;
  readonly source: Address;
  readonly target: Address;
  /** Of the last time. */
  steps: readonly Flow[] = [];
  readonly firstStamp: number;
  lastStamp = 0;
  times = 0;
  readonly opened: OpenedPort[] = [];
  /** Each step was one packet, every time. */
  isExact = true;
  /** When it was seen first, as the packets' `atMicros`. */
  readonly begunMicros: number;

  constructor({ isCallback, source, target, opening, steps }: Occurrence) {
    this.isCallback = isCallback;
    this.source = copyAddress(source);
    this.target = copyAddress(target);
    this.firstStamp = steps[0]?.firstStamp ?? opening.firstStamp;
    this.begunMicros = steps[0]?.firstMicros ?? opening.firstMicros;
  }

  /** Takes in what was seen; another connection after the same packets is not another time. */
  add({ steps, opening, plainBefore }: Occurrence): void {
    const first = steps[0];
    if (first === undefined) return;
    this.#open(opening, opening.firstMicros < first.firstMicros, plainBefore);
    if (first.firstMicros === this.steps[0]?.firstMicros) return;
    this.steps = steps;
    this.lastStamp = first.firstStamp;
    this.times++;
    this.isExact &&= steps.every(({ packets }) => packets === 1);
  }

  /** A connection that was tried before the first step and let in after the last had been denied first. */
  #open(opening: Flow, wasTried: boolean, plainBefore: boolean): void {
    const known = this.opened.find(({ step }) => sameStep(step, opening));
    const isAfterDenial = opening.afterDenial || wasTried;
    if (known !== undefined) {
      known.isAfterDenial ||= isAfterDenial;
      known.failedKnocks += opening.failedKnocks;
      known.isPlainBefore ||= plainBefore;
    } else if (this.opened.length < mostOpened)
      this.opened.push({
        step: { carrier: opening.carrier, port: opening.port },
        isAfterDenial,
        failedKnocks: opening.failedKnocks,
        isPlainBefore: plainBefore,
      });
  }

  /** What a finding of these steps is called. */
  kindOf(steps: readonly Flow[]): FindingKind {
    if (this.isCallback) return "callback";
    return steps.length === 1 ? "single" : "sequence";
  }
}
