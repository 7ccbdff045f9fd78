import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

/** One verb on one resource in one role of deploy/agent.yaml. */
export interface Permission {
  /** Of the role, which has one name in the whole file. */
  readonly role: string;
  /** With its subresource: `knocknodes/status`. */
  readonly resource: string;
  readonly verb: string;
}

interface Rule {
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly Rule[];
}

/** Where agents live by deploy/agent.yaml, and as whom. */
export const agents = { namespace: "knockgate", account: "knockgate" } as const;

/** The objects of deploy/agent.yaml, as they are or with one permission taken out of the role that has it. */
export function shippedRoles(without?: Permission): readonly object[] {
  return manifests().map(({ rules, ...manifest }) => {
    if (rules === undefined) return manifest;
    const isIts = manifest.metadata.name === without?.role;
    return { ...manifest, rules: isIts ? rules.flatMap((rule) => withoutVerb(rule, without)) : rules };
  });
}

/** Every permission that they give, one by one. */
export function shippedPermissions(): readonly Permission[] {
  return manifests().flatMap(({ metadata, rules = [] }) =>
    rules.flatMap(({ resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => ({ role: metadata.name, resource, verb }))),
    ),
  );
}

/** A rule without a verb is none, and the API server takes none. */
function withoutVerb(rule: Rule, { resource, verb }: Permission): readonly Rule[] {
  if (!rule.resources.includes(resource)) return [rule];
  const verbs = rule.verbs.filter((each) => each !== verb);
  return verbs.length === 0 ? [] : [{ ...rule, verbs }];
}

function manifests(): readonly Manifest[] {
  const text = readFileSync(new URL("../../deploy/agent.yaml", import.meta.url), "utf8");
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}
