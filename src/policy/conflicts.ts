import { type Draft, placeOfSteps } from "./draft.ts";
import type { Finding } from "./finding.ts";
import { type Policy, type Sequence, sequencesOf } from "./policy.ts";
import { formatPort, type Port, type PortKey, portKey } from "./port.ts";
import { StepTree } from "./step-tree.ts";

/** What a policy claims, compiled or not. */
export type Claimant = Pick<Policy, "id" | "name" | "opensBy" | "closesBy" | "opens">;

/** TCP ports without which a Kubernetes node is lost: API server, kubelet, etcd. */
const criticalPorts: ReadonlySet<number> = new Set([6443, 10250, 2379, 2380]);

/** Whether guarding the port may cut a node off its cluster. */
export function isCritical(port: Port): boolean {
  return port.protocol === "tcp" && criticalPorts.has(port.port);
}

/**
 * What the accepted policies claim of names, steps and ports. Who comes later gives way, so policies are admitted in the
 * order of their age; in files that is the order in which they stand there. Every question is a look-up, for a thousand
 * policies must not be compared with each other.
 */
export class Claims {
  private readonly owners = new Map<string, string>();
  private readonly ids = new Map<string, string>();
  private readonly knocked = new Map<PortKey, string>();
  private readonly guardedBy = new Map<PortKey, string>();
  private readonly cut = new Set<PortKey>();
  private readonly steps = new StepTree();
  private readonly allowCritical: boolean;

  constructor(guards: readonly Port[], allowCritical: boolean) {
    this.allowCritical = allowCritical;
    for (const guard of guards) this.guardedBy.set(portKey(guard), "--guard");
  }

  admit(policy: Claimant): void {
    this.owners.set(policy.name, policy.name);
    this.ids.set(policy.id, policy.name);
    for (const sequence of sequencesOf(policy)) {
      this.steps.add(policy.name, sequence);
      for (const key of sequence.steps) this.knocked.set(key, policy.name);
    }
    for (const port of policy.opens?.ports ?? []) {
      const key = portKey(port);
      this.guardedBy.set(key, this.guardedBy.get(key) ?? policy.name);
      if (policy.opens?.established === "Cut") this.cut.add(key);
    }
  }

  /** Why a policy cannot stand beside those admitted so far; empty when it can. */
  *objections(draft: Draft): Generator<Finding> {
    if (this.owners.has(draft.name)) yield { code: "name-taken", path: ["metadata", "name"] };
    else if (this.ids.has(draft.id))
      yield { code: "id-taken", path: ["metadata", "name"], detail: this.ids.get(draft.id) };
    for (const sequence of sequencesOf(draft)) {
      const owner = this.steps.ownerOfSame(sequence);
      // Whose steps they are would tell what is in the Secret.
      const detail = draft.isSecret && sequence.action === "open" ? undefined : owner;
      if (owner !== undefined && owner !== draft.name)
        yield { code: "steps-taken", path: placeOfSteps(draft, sequence.action), detail };
      for (const [at, key] of sequence.steps.entries()) {
        const guard = this.guardedBy.get(key);
        const path = placeOfSteps(draft, sequence.action, at);
        if (guard !== undefined) yield { code: "step-guarded", path, detail: `by ${guard}` };
      }
    }
    yield* this.doorObjections(draft);
  }

  private *doorObjections(draft: Draft): Generator<Finding> {
    for (const port of draft.opens?.ports ?? []) {
      const path = doorPath(draft, port);
      if (isCritical(port) && !this.allowCritical) yield { code: "port-critical", path, detail: formatPort(port) };
      const knocker = this.knocked.get(portKey(port));
      // Which port it is must not be said: it is a step of somebody else's knock.
      if (knocker !== undefined) yield { code: "port-knocked", path, detail: knocker };
    }
  }

  /** What is odd about a policy now that all are admitted. */
  *remarks(draft: Draft, served: ReadonlySet<PortKey>): Generator<Finding> {
    for (const port of draft.opens?.ports ?? []) {
      const key = portKey(port);
      const path = doorPath(draft, port);
      if (served.has(key)) yield { code: "port-served", path, detail: formatPort(port) };
      if (draft.opens?.established === "Keep" && this.cut.has(key))
        yield { code: "established-differs", path, detail: formatPort(port) };
    }
  }

  /** Every sequence that is the beginning of the draft's: who owns it, which of the owner's it is. */
  beginnings(draft: Draft): readonly { readonly owner: string; readonly action: Sequence["action"] }[] {
    return sequencesOf(draft)
      .flatMap((sequence) => this.steps.beginningsOf(sequence))
      .map(({ owner, sequence }) => ({ owner, action: sequence.action }));
  }
}

function doorPath(draft: Draft, port: Port): readonly (string | number)[] {
  return ["spec", "opens", "ports", draft.entryOfPort.get(portKey(port)) ?? 0];
}
