/** What can go wrong with a request to the API, each with what it means. Codes are stable across releases. */
export const apiErrors = {
  "no-credentials": "there are no credentials for the Kubernetes API",
  unreachable: "the Kubernetes API cannot be reached",
  late: "the Kubernetes API did not answer in time",
  idle: "the watch fell silent",
  unauthorized: "the Kubernetes API does not accept the token",
  forbidden: "the Kubernetes API does not allow it",
  missing: "the Kubernetes API does not have it",
  conflict: "somebody else changed the object meanwhile",
  expired: "the version to go on from is too old",
  throttled: "the Kubernetes API asks to wait",
  refused: "the Kubernetes API refuses the request",
  server: "the Kubernetes API failed",
  malformed: "the Kubernetes API sent what cannot be read",
  "too-large": "the Kubernetes API sent more than is read",
  stopped: "the request was given up",
} as const satisfies Readonly<Record<string, string>>;

export type ApiErrorCode = keyof typeof apiErrors;

/** A request that failed. The message never holds a body: one may be of a Secret. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ApiErrorCode;
  /** How long the server asks to wait; undefined where it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ApiErrorCode, detail: string, options: ErrorOptions & { readonly retryAfterMs?: number } = {}) {
    super(`${apiErrors[code]}${detail === "" ? "" : ` (${detail})`}`, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The server's waits are obeyed up to this: longer ones are a mistake of somebody in between. */
const longestRetryAfterMs = 300_000;
/** As much of the server's own words as is shown. */
const mostWords = 300;

/** The `Status` that the API sends with every refusal, and in the `ERROR` event of a watch. */
interface Status {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly reason?: unknown;
}

/** What an answer other than success means. `body` is the answer's, read as far as it may be. */
export function errorOfAnswer(httpStatus: number, body: unknown, retryAfter: string | undefined): ApiError {
  const status: Status = typeof body === "object" && body !== null ? body : {};
  const words = typeof status.message === "string" ? status.message.slice(0, mostWords) : "";
  const detail = words === "" ? `status ${httpStatus}` : `${httpStatus}: ${words}`;
  const retryAfterMs = retryAfterMsOf(retryAfter);
  return new ApiError(codeOf(httpStatus), detail, retryAfterMs === undefined ? {} : { retryAfterMs });
}

/** What the `ERROR` event of a watch means. */
export function errorOfEvent(object: unknown): ApiError {
  const code = typeof object === "object" && object !== null ? (object as Status).code : undefined;
  return errorOfAnswer(typeof code === "number" ? code : 500, object, undefined);
}

function codeOf(httpStatus: number): ApiErrorCode {
  const known: Readonly<Record<number, ApiErrorCode>> = {
    401: "unauthorized",
    403: "forbidden",
    404: "missing",
    409: "conflict",
    410: "expired",
    429: "throttled",
  };
  return known[httpStatus] ?? (httpStatus >= 400 && httpStatus < 500 ? "refused" : "server");
}

/** `Retry-After` in whole seconds (RFC 9110, 10.2.3); the form with a date is not used by the API. */
function retryAfterMsOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  return Math.min(Number(text) * 1000, longestRetryAfterMs);
}

/** What a failure below HTTP means: of the socket, of TLS, of the name. */
export function errorOfSocket(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) };
  return new ApiError("unreachable", code ?? message ?? "", { cause: error });
}
