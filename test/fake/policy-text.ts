import { type Compilation, type CompileOptions, compile } from "../../src/policy/compile.ts";
import type { ConfigText } from "../../src/policy/document.ts";

/** What differs from a plain policy; each a piece of YAML. */
export interface PolicyText {
  readonly name: string;
  readonly steps?: string;
  readonly ports?: string;
  readonly opensFor?: string;
  /** Further fields of `spec.knock`, in flow style. */
  readonly knock?: string;
  readonly sources?: string;
  readonly closedBy?: string;
}

/** The YAML of a sound policy. */
export function policyText({ name, steps, ports, opensFor, knock, sources, closedBy }: PolicyText): string {
  return [
    "apiVersion: knockgate.io/v1alpha1",
    "kind: KnockSequence",
    `metadata: { name: ${name} }`,
    "spec:",
    `  knock: { steps: ${steps ?? "[9101/udp, 7102, 8103]"}${knock === undefined ? "" : `, ${knock}`} }`,
    `  opens: { ports: ${ports ?? "[22]"}, for: ${opensFor ?? "30s"} }`,
    ...(sources === undefined ? [] : [`  sources: ${sources}`]),
    ...(closedBy === undefined ? [] : [`  closedBy: { steps: ${closedBy} }`]),
    "",
  ].join("\n");
}

/** One text of several documents. */
export function documentText(...documents: readonly string[]): ConfigText {
  return { origin: "policies.yaml", format: "yaml", text: documents.join("---\n") };
}

/** What an agent without options compiles with. */
export const plainOptions: CompileOptions = {
  guards: [],
  served: [],
  allowCommands: false,
  allowCritical: false,
  defaultNamespace: "default",
};

/** Compiles documents of one text. */
export function compileTexts(documents: readonly string[], options: Partial<CompileOptions> = {}): Compilation {
  return compile([documentText(...documents)], { ...plainOptions, ...options });
}

/** Compiles policies that stand in one text. */
export function compilePolicies(policies: readonly PolicyText[], options: Partial<CompileOptions> = {}): Compilation {
  return compileTexts(policies.map(policyText), options);
}

/** `code field` of every problem. */
export function codesOf(compilation: Compilation): readonly string[] {
  return compilation.problems.map(({ code, field }) => `${code} ${field}`.trim());
}
