import type { RawResource } from "./document.ts";
import type { Problem } from "./problem.ts";
import { type ProblemCode, problemCatalogue, problemOf } from "./problem-catalogue.ts";
import type { Path } from "./yaml-document.ts";

/** Something wrong with one resource: which problem, at which field, before it is put in words. */
export interface Finding {
  readonly code: ProblemCode;
  readonly path: Path;
  /** Stands in brackets in the message; never holds a step. */
  readonly detail?: string | undefined;
}

/** The finding as people read it, with the place in the text. */
export function problemFor(resource: RawResource, finding: Finding): Problem {
  const { code, path, detail } = finding;
  const where = { policy: resource.policy, field: resource.fieldOf(path), place: resource.placeOf(path) };
  return problemOf(code, where, detail);
}

/** Whether it rejects the resource; else it is a warning. */
export function rejects(finding: Finding): boolean {
  return problemCatalogue[finding.code].severity === "error";
}
