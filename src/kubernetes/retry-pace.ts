import type { ApiError } from "./api-error.ts";

const firstMs = 500;
const mostMs = 30_000;
/** What an operator has to change (a role, a missing CRD) is looked for again this often: soon enough for who waits for it. */
const slowMs = 15_000;

/**
 * How long to wait before the API is asked again: half a second, doubled with every failure up to 30 s, of which a random
 * half is cut, so that agents that lost the API together do not come back together.
 */
export class RetryPace {
  private readonly random: () => number;
  private failures = 0;

  /** `random` gives numbers from 0 to 1, 1 excluded. */
  constructor(random: () => number) {
    this.random = random;
  }

  /** Something worked for a while. */
  worked(): void {
    this.failures = 0;
  }

  /** The wait after a failure, in milliseconds; after a watch that ended too soon to have been of use there is no error. */
  next(error: ApiError | undefined): number {
    const { code, retryAfterMs } = error ?? {};
    this.failures++;
    if (retryAfterMs !== undefined) return retryAfterMs + this.jittered(firstMs);
    if (code === "forbidden" || code === "missing") return this.jittered(slowMs);
    // The token has been read again: the next try has a new one, if there is one.
    if (code === "unauthorized" && this.failures === 1) return 0;
    return this.jittered(Math.min(mostMs, firstMs * 2 ** Math.min(this.failures - 1, 10)));
  }

  private jittered(ms: number): number {
    return Math.round(ms * (0.5 + this.random() / 2));
  }
}
