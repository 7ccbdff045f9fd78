import type { Random } from "../fuzz/random.ts";
import type { SoakPolicy } from "./door-model.ts";
import { soakPolicies } from "./soak-world.ts";

/** Longer than the time for a whole sequence, `within`, with what a busy machine adds. */
const rememberedMs = 15_000;

/** Steps to send from an address that nothing is to be opened for. */
export interface WrongKnock {
  readonly source: string;
  readonly steps: readonly string[];
  /** The steps are sent; the address is free for the next. */
  done(): void;
}

/**
 * Addresses that never knock rightly. What one of them sends must not add up to a right knock either: `3 2 1` and then `2 3` hold
 * the steps `1 2 3` in order, with nothing between, and rightly open the door. As an outage may swallow any packet, whatever holds
 * the steps in order within the time is left out, with others between or not.
 */
export class Strangers {
  readonly #sources: readonly string[];
  readonly #busy = new Set<string>();
  #sent: readonly { readonly source: string; readonly step: string; readonly at: number }[] = [];

  constructor(sources: readonly string[]) {
    this.#sources = sources;
  }

  /** A knock by somebody who is at no other one; undefined where the one drawn would be right, or nobody is free. */
  draw(random: Random): WrongKnock | undefined {
    const free = this.#sources.filter((source) => !this.#busy.has(source));
    if (free.length === 0) return undefined;
    const source = random.pick(free);
    const policy = random.pick(soakPolicies);
    const steps = wrongSteps(policy, random);
    const now = performance.now();
    this.#sent = this.#sent.filter(({ at }) => at > now - rememberedMs);
    const before = this.#sent.filter((one) => one.source === source).map(({ step }) => step);
    if (holdsInOrder([...before, ...steps], policy.steps)) return undefined;
    this.#busy.add(source);
    const done = () => {
      this.#busy.delete(source);
      const at = performance.now();
      this.#sent = [...this.#sent, ...steps.map((step) => ({ source, step, at }))];
    };
    return { source, steps, done };
  }
}

function wrongSteps({ steps }: SoakPolicy, random: Random): readonly string[] {
  const [first = "", ...others] = steps;
  return random.pick([[...steps].reverse(), others, [first, ...others.toReversed()], [first, first]]);
}

/** Whether the steps are among what was sent, in their order. */
function holdsInOrder(sent: readonly string[], steps: readonly string[]): boolean {
  let found = 0;
  for (const step of sent) if (step === steps[found]) found++;
  return found === steps.length;
}
