import type { KubeObject } from "../kubernetes/resource.ts";
import { type GrantTerms, grantTermsOf, type KnownTerms } from "../policy/grant-terms.ts";
import { objectText } from "./crd-source.ts";

/** What every KnockSequence lets KnockGrants open, those for other nodes too. Each is read when somebody asks, and once. */
export class SequenceTerms {
  private objects: ReadonlyMap<string, KubeObject> = new Map();
  private isWhole = false;
  private readonly read = new WeakMap<KubeObject, GrantTerms | "unreadable">();

  /** All that are known, whenever one has changed; `isWhole`: there are no others. */
  take(objects: readonly KubeObject[], isWhole: boolean): void {
    this.objects = new Map(objects.map((object) => [`${object.metadata.namespace}/${object.metadata.name}`, object]));
    this.isWhole = isWhole;
  }

  /** Of a KnockSequence, by `namespace/name`. */
  of(name: string): KnownTerms {
    const object = this.objects.get(name);
    if (object === undefined) return this.isWhole ? "missing" : "unknown";
    const terms = this.read.get(object) ?? grantTermsOf(objectText(object)) ?? "unreadable";
    this.read.set(object, terms);
    return terms;
  }
}
