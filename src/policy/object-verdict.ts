import { type ObjectText, readText } from "./document.ts";
import { draftPolicy } from "./draft.ts";
import { problemFor } from "./finding.ts";
import type { Problem } from "./problem.ts";
import type { ProblemCode } from "./problem-catalogue.ts";
import { knockSequenceSchema } from "./schema.ts";
import { schemaProblems } from "./schema-problem.ts";

/** What validation of one object says, by itself: the same on every node. */
export interface ObjectVerdict {
  readonly accepted: boolean;
  /** One word: `Accepted`, or the first problem's code in CamelCase. */
  readonly reason: string;
  /** Sentences for people: every problem with its field, or the warnings. Never a step. */
  readonly message: string;
}

/** What depends on the node or on another object, and so is that node's to say in its KnockNode. */
const othersToSay: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  "node-unknown",
  "secret-not-kept",
  "secret-not-read",
  "secret-missing",
  "secret-key-missing",
  "secret-forbidden",
  "secrets-too-many",
]);
/** metav1.Condition takes 32 KiB; people read less. */
const mostCharacters = 1024;

/** Validates one KnockSequence without regard to others, to nodes and to what Secrets hold. Pure; never throws. */
export function verdictOf(text: ObjectText): ObjectVerdict {
  const problems = problemsOf(text);
  const errors = problems.filter(({ severity }) => severity === "error");
  const [first] = errors;
  if (first !== undefined) return { accepted: false, reason: reasonOf(first.code), message: sentences(errors) };
  const message = problems.length === 0 ? "The policy is sound." : `The policy is sound. ${sentences(problems)}`;
  return { accepted: true, reason: "Accepted", message: message.slice(0, mostCharacters) };
}

/** `step-guarded` is `StepGuarded`. */
export function reasonOf(code: string): string {
  return code.replace(/(^|-)([a-z0-9])/g, (_, _dash, letter: string) => letter.toUpperCase());
}

function problemsOf(text: ObjectText): readonly Problem[] {
  const { resources, problems } = readText(text, text.object.namespace);
  return [
    ...problems,
    ...resources.flatMap((resource) => {
      const parsed = knockSequenceSchema.safeParse(resource.value);
      if (!parsed.success) return schemaProblems(resource, parsed.error.issues);
      const options = { allowCommands: false, defaultNamespace: text.object.namespace };
      const { findings } = draftPolicy(resource, parsed.data, options);
      return findings.filter(({ code }) => !othersToSay.has(code)).map((finding) => problemFor(resource, finding));
    }),
  ];
}

function sentences(problems: readonly Problem[]): string {
  const told = problems.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join(" ");
  return told.length <= mostCharacters ? told : `${told.slice(0, mostCharacters - 1)}…`;
}
