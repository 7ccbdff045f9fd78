import type { ApiErrorCode } from "./api-error.ts";

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

/** What a reflector tells; observability implements it. */
export interface ReflectorReport {
  /** A list or watch of this resource is begun anew. */
  restarted(resource: WatchedResource, cause: RestartCause): void;
  /** Whoever is told of changes threw: a defect of ours. The watch goes on. */
  handlerFailed(resource: WatchedResource, error: unknown): void;
}

/** What is watched, as the metric's label says it. */
export const watchedResources = ["knocksequences", "configmaps", "secrets", "nodes"] as const;
export type WatchedResource = (typeof watchedResources)[number];
