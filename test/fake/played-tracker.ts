import type { Knock } from "../../src/decode/knock.ts";
import { formatAddress } from "../../src/policy/address.ts";
import type { Policy, Sequence } from "../../src/policy/policy.ts";
import { KnockTracker } from "../../src/sequence/knock-tracker.ts";
import type { KnockEngine, SequenceReport } from "../../src/sequence/outcome.ts";
import { knocksOf, scriptBegins } from "./knock-script.ts";

/** What an engine did with some knocks. */
export interface Played {
  readonly engine: KnockEngine;
  /** `advanced 1`, in order, of the opening sequences; those of a closing one begin with `close: `. */
  readonly outcomes: string[];
  /** `bastion/ssh open 198.51.100.1`. */
  readonly completions: string[];
  evicted: number;
  /** Hands over the knocks, those of a script after all before, and returns what happened from here on. */
  play(knocks: readonly Knock[] | string): { readonly outcomes: string[]; readonly completions: string[] };
}

/** A tracker whose report is written down. */
export function playedTracker(policies: readonly Policy[], maxSources = 1000, seed = 1): Played {
  let lastMicros = scriptBegins;
  const outcomes: string[] = [];
  const completions: string[] = [];
  const report: SequenceReport = {
    outcome: (kind, sequence: Sequence, step) =>
      outcomes.push(`${sequence.action === "close" ? "close: " : ""}${kind} ${step}`),
    evicted: (count) => {
      played.evicted += count;
    },
  };
  const engine = new KnockTracker({
    maxSources,
    seed,
    report,
    complete: ({ policy, action, source }) => completions.push(`${policy.name} ${action} ${formatAddress(source)}`),
  });
  const played: Played = {
    engine,
    outcomes,
    completions,
    evicted: 0,
    play(what) {
      const [outcome, completion] = [outcomes.length, completions.length];
      const knocks = typeof what === "string" ? knocksOf(what, lastMicros) : what;
      for (const knock of knocks) engine.observe(knock);
      lastMicros = knocks.at(-1)?.atMicros ?? lastMicros;
      return { outcomes: outcomes.slice(outcome), completions: completions.slice(completion) };
    },
  };
  engine.usePolicies(policies);
  return played;
}
