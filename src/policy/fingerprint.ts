import { createHash } from "node:crypto";
import type { Draft } from "./draft.ts";
import type { PolicyId, Sequence } from "./policy.ts";

/** Eight hexadecimal digits of the SHA-256 of `namespace/name`. */
export function policyIdOf(name: string): PolicyId {
  return createHash("sha256").update(name).digest("hex").slice(0, 8);
}

/**
 * A hash of everything a policy says; the order of sources and fields does not matter. The number of decoys is part of it
 * and which they are is not: they give way to the steps and doors of other policies, and the arrival of another policy
 * must not cost anybody the progress in this one. Not reversible by guessing only as far as the steps cannot be guessed,
 * so it is not for logs.
 */
export function fingerprintOf(draft: Omit<Draft, "resource" | "entryOfPort" | "isSecret">): string {
  const canonical = JSON.stringify([
    draft.name,
    draft.uid ?? null,
    canonicalSequence(draft.opensBy),
    draft.closesBy === undefined ? null : canonicalSequence(draft.closesBy),
    draft.decoys,
    draft.opens === undefined
      ? null
      : [
          draft.opens.ports.map((port) => [port.protocol, port.port]),
          draft.opens.forMicros,
          draft.opens.established,
          draft.opens.scope,
        ],
    draft.run === undefined
      ? null
      : [draft.run.opened, draft.run.closed, draft.run.openedV6, draft.run.closedV6, draft.run.forMicros],
    draft.knockd === undefined ? null : [draft.knockd.door, draft.knockd.oneTime],
  ]);
  return createHash("sha256").update(canonical).digest("hex");
}

function canonicalSequence(sequence: Sequence): readonly unknown[] {
  return [
    sequence.steps,
    sequence.withinMicros,
    [sequence.flags.must, sequence.flags.mustNot],
    sequence.matching,
    sequence.target === undefined ? null : sequence.target.join(),
    [...new Set(sequence.sources.map(({ address, prefixBits }) => `${address.join()}/${prefixBits}`))].sort(),
  ];
}
