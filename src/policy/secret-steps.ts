import { parsePort } from "./port.ts";

/** Why the steps that a policy takes from a Secret are not known. Keys of the problem catalogue. */
export type SecretTrouble =
  | "secret-not-kept"
  | "secret-not-read"
  | "secret-missing"
  | "secret-key-missing"
  | "secret-forbidden"
  | "secrets-too-many";

/** What the Secret that a policy names holds; whoever reads Secrets says so, the policy stage only takes it. */
export type SecretSteps =
  /** The value as it stands there; it never appears in a problem. */
  { readonly kind: "text"; readonly text: string } | { readonly kind: "trouble"; readonly code: SecretTrouble };

/** Which Secret a policy takes its steps from; in the policy's own namespace. */
export interface SecretKey {
  readonly name: string;
  readonly key: string;
}

/** 32 steps of nine characters, with room for blanks. */
const longestText = 1024;
const mostSteps = 32;

/** The steps in a Secret's value, `7000/udp, 8000/tcp`; undefined when it is anything but 1 to 32 of them. */
export function parseSecretSteps(text: string): readonly string[] | undefined {
  if (text.length > longestText) return undefined;
  const steps = text.split(",").map((step) => step.trim());
  return steps.length <= mostSteps && steps.every((step) => parsePort(step) !== undefined) ? steps : undefined;
}

/** The Secret that a resource, not yet validated, names; undefined when it names none that could be read. */
export function secretKeyOf(resource: unknown): SecretKey | undefined {
  let value: unknown = resource;
  for (const name of ["spec", "knock", "stepsFrom", "secretKeyRef"]) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  const { name, key } = (value ?? {}) as { readonly name?: unknown; readonly key?: unknown };
  return typeof name === "string" && typeof key === "string" && name !== "" && key !== "" ? { name, key } : undefined;
}
