import { overlap, sameAddress } from "./address.ts";
import type { Sequence } from "./policy.ts";
import type { PortKey } from "./port.ts";
import { SourceClaims } from "./source-claims.ts";

/** A sequence and the policy it belongs to. */
export interface OwnedSequence {
  readonly owner: string;
  readonly sequence: Sequence;
}

interface TreeNode {
  readonly next: Map<PortKey, TreeNode>;
  readonly ends: OwnedSequence[];
  readonly claims: Readonly<Record<Sequence["action"], SourceClaims>>;
}

/**
 * Sequences by their steps, so that equal ones and beginnings are found without comparing each with every other. Two
 * closing sequences may be equal: one knock that closes all doors is of use.
 */
export class StepTree {
  private readonly root = newNode();

  /** The owner of a sequence with the same steps that one knock could complete together with this one. */
  ownerOfSame(sequence: Sequence): string | undefined {
    if (sequence.matching === "Knockd") return undefined;
    const node = this.path(sequence.steps).at(-1);
    const opener = node?.claims.open.ownerOf(sequence.target, sequence.sources);
    if (opener !== undefined || sequence.action === "close") return opener;
    return node?.claims.close.ownerOf(sequence.target, sequence.sources);
  }

  add(owner: string, sequence: Sequence): void {
    let node = this.root;
    for (const step of sequence.steps) {
      const next = node.next.get(step) ?? newNode();
      node.next.set(step, next);
      node = next;
    }
    node.ends.push({ owner, sequence });
    if (sequence.matching !== "Knockd") node.claims[sequence.action].claim(sequence.target, sequence.sources, owner);
  }

  /**
   * Sequences that are a proper beginning of this one and that the same source could knock. Of many with the same steps
   * only the first eight are looked at: this is for a warning.
   */
  beginningsOf(sequence: Sequence): readonly OwnedSequence[] {
    const above = this.path(sequence.steps.slice(0, -1)).filter((node) => node !== undefined);
    return above.flatMap((node) => node.ends.slice(0, 8)).filter((other) => canMeet(other.sequence, sequence));
  }

  /** The nodes along the steps; undefined from where the tree ends. */
  private path(steps: readonly PortKey[]): readonly (TreeNode | undefined)[] {
    let node: TreeNode | undefined = this.root;
    return steps.map((step) => {
      node = node?.next.get(step);
      return node;
    });
  }
}

function newNode(): TreeNode {
  return { next: new Map(), ends: [], claims: { open: new SourceClaims(), close: new SourceClaims() } };
}

/** Whether one packet can count for both. */
function canMeet(one: Sequence, other: Sequence): boolean {
  if (one.target !== undefined && other.target !== undefined && !sameAddress(one.target, other.target)) return false;
  return one.sources.some((range) => other.sources.some((otherRange) => overlap(range, otherRange)));
}
