import { systemClock } from "./clock.ts";
import { startCommand } from "./command/command-process.ts";
import { CommandQueue } from "./command/command-queue.ts";
import type { CommandReport } from "./command/command-report.ts";
import { DoorCommands } from "./command/door-commands.ts";
import { PendingFile } from "./command/pending-file.ts";
import { spendOneTimeLine } from "./config-source/one-time-file.ts";
import type { GrantEvent, GrantReport } from "./grant/grant-report.ts";
import type { Granter } from "./grant/granter.ts";
import type { AgentOptions } from "./options.ts";
import { type Address, sameAddress } from "./policy/address.ts";
import type { Policy } from "./policy/policy.ts";
import type { Completion } from "./sequence/outcome.ts";

/** What the doors work with. */
export interface AgentDoorsOptions {
  readonly options: Pick<AgentOptions, "allowCommands" | "neverGrants" | "stateDir">;
  readonly granter: Granter;
  readonly grants: Pick<GrantReport, "grant">;
  readonly commands: CommandReport;
  /** Reads the configuration again: the next line of a one-time file counts. */
  readonly reread: () => Promise<void>;
}

/** How long running commands are waited for at the end; the next agent closes what is left open. */
const longestWaitMs = 2000;

/** What a completed sequence leads to: a one-time line is spent first, then the kernel and commands open the door. */
export class AgentDoors {
  private readonly options: AgentDoorsOptions;
  private readonly queue: CommandQueue;
  private readonly commands: DoorCommands;

  constructor(options: AgentDoorsOptions) {
    this.options = options;
    const { commands: report, grants } = options;
    const { neverGrants, stateDir } = options.options;
    this.queue = new CommandQueue({ clock: systemClock, start: startCommand, report });
    const file = new PendingFile(stateDir);
    this.commands = new DoorCommands({ clock: systemClock, queue: this.queue, file, grants, report, neverGrants });
  }

  /** Takes up what an earlier agent left open; once, when the grants are known. Without --allow-commands nothing is run. */
  restore(): void {
    if (!this.options.options.allowCommands) {
      this.commands.leaveOpen();
      return;
    }
    const { granter } = this.options;
    const live = granter.liveGrants();
    this.commands.restore((policy, source) =>
      live.some(
        (grant) => sameAddress(grant.source, source) && grant.policies.some((id) => granter.nameOf(id) === policy),
      ),
    );
  }

  /** Takes the policies now in force. */
  usePolicies(policies: readonly Policy[]): void {
    this.commands.usePolicies(policies);
  }

  /** A source has finished a sequence. */
  complete(completion: Completion): void {
    if (!this.spend(completion)) return;
    this.options.granter.complete(completion);
    this.commands.complete(completion);
  }

  /** A grant has changed. */
  granted(event: GrantEvent): void {
    this.commands.granted(event);
  }

  /** Closes what commands have opened for a source. */
  revoke(source: Address, sequence: string | undefined): number {
    return this.commands.revoke(source, sequence);
  }

  /** No command is begun any more. */
  async drain(): Promise<void> {
    this.commands.stop();
    const timeout = new Promise<void>((resolve) => void systemClock.after(longestWaitMs, resolve));
    await Promise.race([this.queue.settled(), timeout]);
  }

  /** Whether the door may open: its one-time line, where it has one, could be spent. */
  private spend({ policy, source }: Completion): boolean {
    const line = policy.knockd?.oneTime;
    if (line === undefined) return true;
    const outcome = spendOneTimeLine(line, systemClock.wallMicros());
    void this.options.reread();
    if (outcome.kind === "spent") return true;
    const detail = outcome.kind === "taken" ? "the one-time sequence was used before" : outcome.reason;
    this.options.grants.grant({ kind: "refused", source, policy: policy.name, ports: [], reason: "one-time", detail });
    return false;
  }
}
