/** Which object of the Kubernetes API is meant, in which version of what people write in it. */
export interface ObjectIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
}

/** Where in a text a problem lies. Lines and columns count from 1. */
export interface Place {
  /** A path, `ConfigMap ns/name key`, or `KnockSequence ns/name`. */
  readonly origin: string;
  /** The object of the API that is the text, so that its status can say what is wrong with it. */
  readonly object?: ObjectIdentity | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/**
 * One thing wrong with a configuration. The message never holds a step: problems go to logs, status and Events.
 * `code` is a key of the catalogue in src/policy/problem-catalogue.ts, stable across releases.
 */
export interface Problem {
  readonly severity: "error" | "warning";
  readonly code: string;
  /** `namespace/name` of the policy, where it is known. */
  readonly policy: string | undefined;
  /** The field's path, `spec.opens.ports[1]`. */
  readonly field: string;
  /** One sentence that says what is wrong and what to do. */
  readonly message: string;
  readonly place: Place;
}
