/**
 * Commands of policies. A policy that only runs commands is opened by its knock and closed by its own time; one that also opens
 * ports runs them when the kernel's door opens and closes.
 *
 * | what happens | policy with `run` alone | with `opens` too |
 * |---|---|---|
 * | a right knock | `opened` runs, the time begins | `opened` runs when the grant is new |
 * | the same again while it is open | `opened` runs again, the time begins anew | nothing runs |
 * | the time is over, `closedBy`, a revocation | `closed` runs as often as `opened` did | `closed` runs |
 * | the agent was away at that time | `closed` runs when it is back | same |
 *
 * knockd sets a timer for each opening, so the first one closes the door under the feet of who has knocked again. Here there is one
 * for each policy and source. As often as `opened`, because `iptables -I` twice takes `-D` twice.
 *
 * What has to be closed is on disk before the opening command runs, and until the closing one has ended: a crash in between closes
 * twice rather than never.
 */
import type { Clock, Timer } from "../clock.ts";
import type { GrantEvent, GrantReport } from "../grant/grant-report.ts";
import { isNeverGranted } from "../grant/never-grant.ts";
import { type Address, type Cidr, formatAddress, sameAddress } from "../policy/address.ts";
import type { Policy } from "../policy/policy.ts";
import type { Completion } from "../sequence/outcome.ts";
import { type CommandContext, commandFor, commandLineOf } from "./command.ts";
import type { CommandQueue } from "./command-queue.ts";
import type { CommandReport } from "./command-report.ts";
import type { PendingClose, PendingKeeper } from "./pending-file.ts";

/** What the commands work with. */
export interface DoorCommandsOptions {
  readonly clock: Clock;
  readonly queue: CommandQueue;
  readonly file: PendingKeeper;
  /** Told of doors that only commands open; of the others the granter tells. */
  readonly grants: Pick<GrantReport, "grant">;
  readonly report: CommandReport;
  readonly neverGrants: readonly Cidr[];
  /** Doors that may wait to be closed at once; default 65,536. */
  readonly mostPending?: number;
}

/** The kernel's clock and ours may differ by this much in when a grant ends: the grant's own end comes first. */
const graceMicros = 2e6;

/** How long until a door that could not be closed is closed. */
const closeAgainMicros = 5e6;

interface Open {
  readonly close: PendingClose;
  readonly timer: Timer | undefined;
}

/** Runs what policies say when doors open and close. */
export class DoorCommands {
  private readonly options: DoorCommandsOptions;
  private readonly mostPending: number;
  private readonly open = new Map<string, Open>();
  /** Closing now; they stay on disk until they are closed. */
  private readonly closing = new Set<PendingClose>();
  private policies: ReadonlyMap<string, Policy> = new Map();
  private warnedOfFile = false;
  private isClosed = false;

  constructor(options: DoorCommandsOptions) {
    this.options = options;
    this.mostPending = options.mostPending ?? 65_536;
  }

  /** Takes up what an earlier agent left open; once, after the grants are known. `isOpen` says whether a grant is live. */
  restore(isOpen: (policy: string, source: Address) => boolean): void {
    for (const close of this.readKept()) {
      this.hold(close);
      if (close.dueWallMicros === undefined && !isOpen(close.policy, close.source)) this.close(keyOf(close), "expired");
    }
  }

  /** Instead of `restore` where no command may be run: says what stays open. */
  leaveOpen(): void {
    const count = this.readKept().length;
    if (count > 0)
      this.options.report.warned(
        `${count} doors that commands have opened stay open: start with --allow-commands, so that they are closed.`,
      );
  }

  private readKept(): readonly PendingClose[] {
    try {
      return this.options.file.read();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.options.report.warned(
        `Doors that commands have opened may stay open: what was kept cannot be read (${reason}).`,
      );
      return [];
    }
  }

  /** Takes the policies now in force. */
  usePolicies(policies: readonly Policy[]): void {
    this.policies = new Map(policies.map((policy) => [policy.name, policy]));
  }

  /** A sequence was completed. Policies that open ports are left to their grants. */
  complete({ policy, action, source }: Completion): void {
    if (policy.opens !== undefined) return;
    if (action === "close") this.close(keyOf({ policy: policy.name, source }), "revoked");
    else if (isNeverGranted(source, policy, this.options.neverGrants)) this.refuse(policy, source, "never-grant");
    else if (this.open.size >= this.mostPending) this.refuse(policy, source, "limit");
    else this.openByCommand(policy, source);
  }

  /** A grant has changed. */
  granted({ kind, policy: name, source, untilWallMicros, ports }: GrantEvent): void {
    const policy = this.policies.get(name);
    if (kind === "revoked" || kind === "expired") this.close(keyOf({ policy: name, source }), undefined);
    if (policy?.opens === undefined || policy.run === undefined || (kind !== "added" && kind !== "renewed")) return;
    const due = untilWallMicros === undefined ? undefined : untilWallMicros + graceMicros;
    this.keepClose(policy, source, { policy: name, ports, untilWallMicros: due }, 1);
    if (kind === "added") this.runOpened(policy, source, { policy: name, ports, untilWallMicros });
  }

  /** Closes what commands alone have opened for a source, or only by one policy, and tells how many doors that are. */
  revoke(source: Address, policy: string | undefined): number {
    const chosen = [...this.open.values()].filter(
      ({ close }) =>
        close.ports.length === 0 &&
        sameAddress(close.source, source) &&
        (policy === undefined || close.policy === policy),
    );
    for (const { close } of chosen) this.close(keyOf(close), "revoked");
    return chosen.length;
  }

  /** Ends the timers; what is open is closed by the next agent. Commands under way are waited for by whoever owns the queue. */
  stop(): void {
    this.isClosed = true;
    for (const { timer } of this.open.values()) timer?.cancel();
  }

  private openByCommand(policy: Policy, source: Address): void {
    const { clock, grants } = this.options;
    const forMicros = policy.run?.forMicros;
    const untilWallMicros = forMicros === undefined ? undefined : clock.wallMicros() + forMicros;
    const context = { policy: policy.name, ports: [], untilWallMicros };
    const before = this.open.get(keyOf({ policy: policy.name, source }));
    this.keepClose(policy, source, context, (before?.close.times ?? 0) + 1);
    const kind = before === undefined ? "added" : "renewed";
    grants.grant({ kind, source, policy: policy.name, ports: [], untilWallMicros, detail: "knock" });
    this.runOpened(policy, source, context);
  }

  private refuse({ name }: Policy, source: Address, reason: "never-grant" | "limit"): void {
    const detail =
      reason === "limit" ? "too many doors wait to be closed" : "the source lies in a range that gets no grant";
    this.options.grants.grant({ kind: "refused", source, policy: name, ports: [], reason, detail });
  }

  private runOpened(policy: Policy, source: Address, context: CommandContext): void {
    const line = commandLineOf(policy, "opened", source);
    if (line === undefined) return;
    const command = commandFor(line, "opened", source, context);
    if (command === undefined) this.warnTooLong(policy.name);
    else void this.options.queue.run(keyOf({ policy: policy.name, source }), command);
  }

  /** Notes that the door has to be closed, where there is a command for it. */
  private keepClose(policy: Policy, source: Address, context: CommandContext, times: number): void {
    const command = commandLineOf(policy, "closed", source);
    if (command === undefined) return;
    const { ports, untilWallMicros: dueWallMicros } = context;
    this.hold({ policy: policy.name, source, ports, command, times, dueWallMicros });
    this.save();
  }

  private hold(close: PendingClose): void {
    const key = keyOf(close);
    this.open.get(key)?.timer?.cancel();
    this.open.set(key, { close, timer: this.timerFor(key, close) });
  }

  /** Timers reach 24 days; a longer one is set again. */
  private timerFor(key: string, { dueWallMicros }: PendingClose): Timer | undefined {
    if (dueWallMicros === undefined) return undefined;
    const { clock } = this.options;
    const dueMicros = clock.nowMicros() + Math.max(0, dueWallMicros - clock.wallMicros());
    const set = (): Timer =>
      clock.after((dueMicros - clock.nowMicros()) / 1000, () => {
        const entry = this.open.get(key);
        if (entry === undefined) return;
        if (clock.nowMicros() >= dueMicros) this.close(key, "expired");
        else this.open.set(key, { ...entry, timer: set() });
      });
    return set();
  }

  /** `tells`: what the report says of it; undefined where the granter does. */
  private close(key: string, tells: "expired" | "revoked" | undefined): void {
    const entry = this.open.get(key);
    if (entry === undefined || this.isClosed) return;
    entry.timer?.cancel();
    this.open.delete(key);
    this.closing.add(entry.close);
    void this.runClosed(key, entry.close);
    const { policy, source, ports } = entry.close;
    const isCommandDoor = ports.length === 0;
    if (tells !== undefined && isCommandDoor) this.options.grants.grant({ kind: tells, source, policy, ports });
  }

  private async runClosed(key: string, close: PendingClose): Promise<void> {
    const { policy, source, ports, dueWallMicros } = close;
    const context = { policy, ports, untilWallMicros: dueWallMicros };
    const command = commandFor(close.command, "closed", source, context);
    let left = command === undefined ? 0 : close.times;
    if (command === undefined) this.warnTooLong(policy);
    else while (left > 0 && (await this.options.queue.run(key, command)) !== "refused") left--;
    this.closing.delete(close);
    if (left > 0) this.closeLater(key, { ...close, times: left });
    this.save();
  }

  /** What could not even be started is tried again. */
  private closeLater(key: string, close: PendingClose): void {
    const times = close.times + (this.open.get(key)?.close.times ?? 0);
    this.hold({ ...close, times, dueWallMicros: this.options.clock.wallMicros() + closeAgainMicros });
  }

  private save(): void {
    try {
      this.options.file.write([...this.closing, ...[...this.open.values()].map(({ close }) => close)]);
      this.warnedOfFile = false;
    } catch (error) {
      if (!this.warnedOfFile)
        this.options.report.warned(
          `What commands have to close is not kept over a restart: ${(error as Error).message}.`,
        );
      this.warnedOfFile = true;
    }
  }

  private warnTooLong(policy: string): void {
    this.options.report.warned(`A command of ${policy} was not run: it has 4096 bytes or more.`);
  }
}

function keyOf({ policy, source }: Pick<PendingClose, "policy" | "source">): string {
  return `${policy}|${formatAddress(source)}`;
}
