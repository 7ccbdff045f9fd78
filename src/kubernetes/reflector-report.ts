import type { ApiError, ApiErrorCode } from "./api-error.ts";

/** Why a list or watch was begun anew, as the metric's label says it. */
export const restartCauses = [
  "ended",
  "asked",
  "reset",
  "idle",
  "expired",
  "unauthorized",
  "forbidden",
  "missing",
  "throttled",
  "server",
  "malformed",
  "too-large",
] as const;
export type RestartCause = (typeof restartCauses)[number];

/** The cause that an error of the API is. */
export function causeOf(code: ApiErrorCode): RestartCause {
  switch (code) {
    case "no-credentials":
    case "unreachable":
    case "late":
    case "stopped":
      return "reset";
    case "conflict":
    case "refused":
    case "server":
      return "server";
    default:
      return code;
  }
}

/** What is watched, as the metric's label says it. */
export const watchedResources = ["knocksequences", "configmaps", "secrets", "nodes", "knockgrants"] as const;
export type WatchedResource = (typeof watchedResources)[number];

/** Which watch it is: of a resource, in a namespace, in all (`*`), or of one object (`bastion/knocks`). */
export interface WatchName {
  readonly resource: WatchedResource;
  readonly scope: string;
}

/** How current the copy of a watch is. */
export type Condition =
  /** Listed, and watched or about to be. */
  | { readonly kind: "current" }
  /** Not listed yet. */
  | { readonly kind: "waiting" }
  /** The last request failed; what is known may be out of date. */
  | { readonly kind: "failing"; readonly error: ApiError };

/** What a reflector tells; observability implements it. */
export interface ReflectorReport {
  /** A list or watch is begun anew. */
  restarted(watch: WatchName, cause: RestartCause): void;
  /** The watch has become current, or a request has failed; undefined: it has ended. */
  condition(watch: WatchName, condition: Condition | undefined): void;
  /** Whoever is told of changes threw: a defect of ours. The watch goes on. */
  handlerFailed(watch: WatchName, error: unknown): void;
}
