import { type ObjectText, readText } from "./document.ts";
import { draftPolicy } from "./draft.ts";
import type { Policy } from "./policy.ts";
import { knockSequenceSchema } from "./schema.ts";

/** What a policy lets KnockGrants open: nothing of it depends on the node, on Secrets or on other policies. */
export type GrantTerms = {
  readonly opens: Policy["opens"];
  readonly opensBy: Pick<Policy["opensBy"], "sources">;
};

/**
 * What is known of the KnockSequence that a grant names. `unknown`: not all of them are known yet; `unreadable`: there is one, and
 * this version cannot read it.
 */
export type KnownTerms = GrantTerms | "unknown" | "missing" | "unreadable";

/** What a KnockSequence lets KnockGrants open; undefined where it is not well formed. Pure; never throws. */
export function grantTermsOf(text: ObjectText): GrantTerms | undefined {
  const defaultNamespace = text.object.namespace;
  const [resource] = readText(text, defaultNamespace).resources;
  const parsed = resource === undefined ? undefined : knockSequenceSchema.safeParse(resource.value);
  if (resource === undefined || !parsed?.success) return undefined;
  const { opens, opensBy } = draftPolicy(resource, parsed.data, { allowCommands: false, defaultNamespace }).draft;
  return { opens, opensBy };
}
