import type { Clock, Timer } from "../clock.ts";
import { sameAddress } from "../policy/address.ts";
import { type Port, portKey } from "../policy/port.ts";
import type { ChangeResult, Refusal } from "./grant.ts";
import { decidesAbout, type GrantRequest, holdOf } from "./grant-request.ts";

export type RefusedChange = ChangeResult & { readonly kind: "refused" };

/** A request for the ports of it that the kernel failed to change, and how it failed. */
export interface FailedRequest {
  readonly request: GrantRequest;
  readonly result: RefusedChange;
}

/** How long a request is tried again after its first failure: as long as somebody who has knocked goes on waiting. */
const patienceMicros = 5_000_000;

/** Between two tries; doubled while the kernel goes on failing. */
const firstDelayMs = 100;
const longestDelayMs = 1000;

/** A kernel that refuses is asked about each door by itself: with more of them a try would outlast the patience. */
const mostWaiting = 256;

/** Refusals that may be over in a moment: nobody asked too much, the kernel failed. */
const passing: ReadonlySet<Refusal> = new Set(["kernel-error", "not-permitted"]);

/**
 * Requests that the kernel failed to carry out, kept for another try: a right knock is not lost because nftables stumbled.
 * All of them are tried together. Bounded in number and time; what is not kept is the caller's to tell.
 */
export class GrantRetries {
  readonly #clock: Clock;
  readonly #again: (failed: readonly FailedRequest[]) => void;
  #waiting: FailedRequest[] = [];
  #delayMs = firstDelayMs;
  #timer: Timer | undefined;

  /** `again` takes over what is to be tried now. */
  constructor(clock: Clock, again: (failed: readonly FailedRequest[]) => void) {
    this.#clock = clock;
    this.#again = again;
  }

  /** Keeps a request for these ports. False where another try is of no use, comes too late, or there is no room. */
  keep(request: GrantRequest, ports: readonly Port[], result: RefusedChange): boolean {
    const now = this.#clock.nowMicros();
    const giveUpAtMicros = request.giveUpAtMicros ?? now + patienceMicros;
    if (!passing.has(result.reason) || now >= giveUpAtMicros || this.#waiting.length >= mostWaiting) return false;
    this.#waiting.push({ request: { ...request, ports, giveUpAtMicros }, result });
    this.#timer ??= this.#clock.after(this.#delayMs, () => this.#retry());
    return true;
  }

  /** The kernel does what it is asked: the next failure is tried again soon. */
  worked(): void {
    this.#delayMs = firstDelayMs;
  }

  /** Takes out what a newer request decides about. */
  withdraw(newer: GrantRequest): readonly FailedRequest[] {
    const overridden = this.#waiting.filter((failed) =>
      failed.request.ports.some((port) => decides(newer, failed.request, port)),
    );
    const removed = overridden.map((failed) => withPorts(failed, (port) => decides(newer, failed.request, port)));
    this.#waiting = this.#waiting
      .map((failed) => withPorts(failed, (port) => !decides(newer, failed.request, port)))
      .filter(({ request }) => request.ports.length > 0);
    return removed;
  }

  /** Takes everything out; nothing is tried again. */
  giveUp(): readonly FailedRequest[] {
    this.#timer?.cancel();
    this.#timer = undefined;
    return this.#waiting.splice(0);
  }

  #retry(): void {
    this.#delayMs = Math.min(this.#delayMs * 2, longestDelayMs);
    this.#again(this.giveUp());
  }
}

/** Whether the one request is about the same door, and the same hold on it, as the other. Pure. */
export function decides(newer: GrantRequest, older: GrantRequest, port: Port): boolean {
  return (
    decidesAbout(newer, holdOf(older)) &&
    sameAddress(newer.source, older.source) &&
    newer.ports.some((one) => portKey(one) === portKey(port))
  );
}

function withPorts(failed: FailedRequest, isChosen: (port: Port) => boolean): FailedRequest {
  return { ...failed, request: { ...failed.request, ports: failed.request.ports.filter(isChosen) } };
}
