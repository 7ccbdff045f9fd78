import type { Refusal } from "../grant/grant.ts";
import type { GrantReport } from "../grant/grant-report.ts";
import type { Port } from "../policy/port.ts";
import type { GrantRefusal, ReadGrant, Verdict } from "./grant-object.ts";

/** Why a grant opens nothing, in words. */
export const refusalSentences: Readonly<Record<GrantRefusal, string>> = {
  "source-not-allowed": "its source is not in the policy's sources",
  "port-not-allowed": "the policy does not open these ports",
  "never-grant": "the source lies in a range that gets no grant",
};

/** Records what KnockGrants ask for beyond their policies: once for each grant, and again when the reason is another. */
export class GrantRefusals {
  private readonly report: Pick<GrantReport, "grant">;
  private told = new Map<string, string>();

  constructor(report: Pick<GrantReport, "grant">) {
    this.report = report;
  }

  tell(verdicts: ReadonlyMap<ReadGrant, Verdict>): void {
    const told = new Map<string, string>();
    for (const [grant, verdict] of verdicts) {
      const refused = refusalOf(grant, verdict);
      if (refused === undefined) continue;
      const { reason, ports } = refused;
      told.set(grant.uid, reason);
      if (this.told.get(grant.uid) === reason) continue;
      const detail = `KnockGrant ${grant.namespace}/${grant.name}: ${refusalSentences[reason]}`;
      const policy = `${grant.namespace}/${grant.spec.sequence}`;
      this.report.grant({ kind: "refused", source: grant.spec.source, policy, ports, reason, detail });
    }
    this.told = told;
  }
}

function refusalOf(
  { spec }: ReadGrant,
  verdict: Verdict,
): { readonly reason: GrantRefusal & Refusal; readonly ports: readonly Port[] } | undefined {
  switch (verdict.kind) {
    case "refused":
      return { reason: verdict.reason, ports: spec.ports ?? verdict.policy.opens?.ports ?? [] };
    case "opens":
      return verdict.leftOut.length === 0 ? undefined : { reason: "port-not-allowed", ports: verdict.leftOut };
    case "elsewhere":
      return undefined;
    default:
      return verdict satisfies never;
  }
}
