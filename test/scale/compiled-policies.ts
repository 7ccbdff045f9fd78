import { compile } from "../../src/policy/compile.ts";
import type { ConfigText } from "../../src/policy/document.ts";
import type { Policy } from "../../src/policy/policy.ts";

let last: { readonly key: string; readonly policies: readonly Policy[] } | undefined;

/** The policies of these objects, which every agent of the process sees alike. */
export function compiledOnce(documents: readonly ConfigText[]): readonly Policy[] {
  const key = documents
    .map((document) => (document.format === "object" ? `${document.object.uid} ${document.object.generation}` : ""))
    .join();
  if (last?.key !== key) {
    const options = { guards: [], served: [], allowCommands: false, allowCritical: false, defaultNamespace: "default" };
    const { policies } = compile(documents, { ...options, nodeLabels: {} });
    last = { key, policies };
  }
  return last.policies;
}
