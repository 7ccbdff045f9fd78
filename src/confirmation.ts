import { createHash } from "node:crypto";
import type { Clock, Timer } from "./clock.ts";
import type { ConfirmationKeeper, KeptConfirmation } from "./confirmation-file.ts";
import type { Guarding } from "./gate-spec.ts";
import { microsBetween, momentOf } from "./moment.ts";
import type { AgentOptions } from "./options.ts";
import { formatCidr } from "./policy/address.ts";
import { formatPort } from "./policy/port.ts";

/** Whether ports are closed, or what would be dropped is only counted. */
export type Mode = AgentOptions["mode"];

/**
 * Whether somebody has shown that he gets in although the gate is enforced. `not-asked`: nobody has to; `asked`: enforced
 * until the time is up; `confirmed`; `lapsed`: nobody has in time, so that the gate only observes.
 */
export const confirmationStates = ["not-asked", "asked", "confirmed", "lapsed"] as const;
export type ConfirmationState = (typeof confirmationStates)[number];

/** What is told of a confirmation; observability implements it. */
export interface ConfirmationReport {
  /** `leftMicros`: until the gate falls back, while it is asked for. */
  changed(state: ConfirmationState, mode: Mode, leftMicros: number | undefined): void;
  warned(message: string): void;
}

export interface ConfirmationOptions {
  /** What the operator asks for. */
  readonly mode: Mode;
  /** `--confirm-within`; 0: no confirmation is asked for. */
  readonly withinMicros: number;
  readonly clock: Clock;
  /** Names this boot of the host. */
  readonly boot: string;
  readonly file: ConfirmationKeeper;
  readonly report: ConfirmationReport;
  /** The time is up: the gate must be loaded anew, in the mode that holds now. */
  readonly lapsed: () => void;
}

/** What is confirmed: who is kept out, and who never is. */
export type Enforced = Pick<AgentOptions, "mode" | "trusts" | "defaultDrop" | "serves" | "guardAddresses"> & Guarding;

/**
 * `--confirm-within`: an operator who locks himself out is let in again. What is enforced for the first time falls back to
 * observe unless somebody shows in time that it locks nobody out: a right knock of a source that is not trusted, or
 * `knockgate confirm`. Either of them brings enforce back later. Only a change of who is kept out asks anew.
 *
 * Both answers are kept over restarts, a lapse too: else each restart would lock out again whom the last one has let in. So is
 * the moment of the question: an agent that crashes again and again would else enforce for ever. Time goes on while no agent
 * runs, as the operator's patience does: on the monotonic clock, over a reboot on that on the wall. The alternative, to count
 * only the time in which it was enforced, needs a write every few seconds to say no more.
 *
 *     asked ── knock, confirm ──► confirmed
 *       │ time is up                  ▲
 *       └──► lapsed (observe) ────────┘ knock, confirm
 */
export class Confirmation {
  private readonly options: ConfirmationOptions;
  private fingerprint: string | undefined;
  private current: ConfirmationState = "not-asked";
  private timer: Timer | undefined;

  constructor(options: ConfirmationOptions) {
    this.options = options;
  }

  get state(): ConfirmationState {
    return this.current;
  }

  /** How the gate is to be loaded now. */
  get mode(): Mode {
    return this.current === "lapsed" ? "observe" : this.options.mode;
  }

  /**
   * How the gate is to be loaded at the next boot: what nobody has confirmed is not enforced there, where nothing falls back
   * should no agent start.
   */
  get bootMode(): Mode {
    return this.current === "asked" ? "observe" : this.mode;
  }

  /** Takes what is about to be loaded. What differs from what is confirmed is asked for from now on; the time of what does not goes on. */
  enforce(enforced: Enforced): void {
    const { withinMicros, file } = this.options;
    const fingerprint = isConcerned(enforced) && withinMicros > 0 ? fingerprintOf(enforced) : undefined;
    if (fingerprint === this.fingerprint && this.fingerprint !== undefined) return;
    this.fingerprint = fingerprint;
    if (enforced.mode === "observe") this.warnOfFailure("forgotten", () => file.forget());
    if (fingerprint === undefined) return this.become("not-asked");
    const kept = this.warnOfFailure("read", () => file.read());
    if (kept?.fingerprint !== fingerprint) return this.ask(withinMicros);
    if (kept.state !== "asked") return this.become(kept.state);
    const { clock, boot } = this.options;
    const leftMicros = withinMicros - microsBetween(kept.since, momentOf(clock, boot));
    if (leftMicros > 0) return this.become("asked", leftMicros);
    this.keep({ state: "lapsed" });
    this.become("lapsed"); // what is about to be loaded observes at once
  }

  /** Somebody gets in. True when that is news: the gate must be loaded anew, and kept for the boot, in the modes that hold now. */
  confirm(): boolean {
    const before = this.current;
    if (before !== "asked" && before !== "lapsed") return false;
    this.keep({ state: "confirmed" }); // first kept, then told: whoever hears of it may end the agent
    this.become("confirmed");
    return true;
  }

  /** Asks no more. */
  close(): void {
    this.timer?.cancel();
  }

  private ask(leftMicros: number): void {
    const { clock, boot } = this.options;
    this.keep({ state: "asked", since: momentOf(clock, boot) });
    this.become("asked", leftMicros);
  }

  /** `leftMicros`: for an answer, while it is asked for. */
  private become(state: ConfirmationState, leftMicros?: number): void {
    const { clock, report } = this.options;
    this.timer?.cancel();
    this.timer = leftMicros === undefined ? undefined : clock.after(Math.ceil(leftMicros / 1000), () => this.lapse());
    this.current = state;
    report.changed(state, this.mode, leftMicros);
  }

  private lapse(): void {
    this.keep({ state: "lapsed" });
    this.become("lapsed");
    this.options.lapsed();
  }

  private keep(kept: WithoutFingerprint<KeptConfirmation>): void {
    const { fingerprint } = this;
    if (fingerprint !== undefined) this.warnOfFailure("kept", () => this.options.file.write({ fingerprint, ...kept }));
  }

  /** A state directory that fails costs a question after the next restart, no more. */
  private warnOfFailure<T>(what: string, action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      this.options.report.warned(`the confirmation could not be ${what}: ${(error as Error).message}`);
      return undefined;
    }
  }
}

type WithoutFingerprint<Kept> = Kept extends unknown ? Omit<Kept, "fingerprint"> : never;

function isConcerned({ mode, guarded, defaultDrop }: Enforced): boolean {
  return mode === "enforce" && (guarded.length > 0 || defaultDrop);
}

/** The same text for the same ports, mode and trust, in whatever order they stand. */
function fingerprintOf(enforced: Enforced): string {
  const { mode, defaultDrop } = enforced;
  const guarded = enforced.guarded.map(formatPort).sort();
  const served = defaultDrop ? enforced.serves.map(formatPort).sort() : [];
  const trusted = enforced.trusts.map(formatCidr).sort();
  const external = enforced.guardAddresses.map(formatCidr).sort();
  const text = JSON.stringify({ mode, guarded, trusted, external, defaultDrop, served });
  return createHash("sha256").update(text).digest("hex");
}
