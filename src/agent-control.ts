import type { AgentDoors } from "./agent-doors.ts";
import type { Clock } from "./clock.ts";
import type { ConfirmAnswer, ControlTarget, GrantRow, Watching } from "./control/control-api.ts";
import type { Granter } from "./grant/granter.ts";
import type { Observability } from "./observability/observability.ts";
import { type Address, formatAddress } from "./policy/address.ts";
import { formatPort } from "./policy/port.ts";
import type { GrantReplicator } from "./replication/grant-replicator.ts";

/** The stages that the socket speaks for. */
export interface ControlledStages {
  readonly granter: Granter;
  readonly doors: Pick<AgentDoors, "revoke">;
  /** Undefined where doors only open on this node. */
  readonly replicator: Pick<GrantReplicator, "revoke"> | undefined;
  readonly observability: Observability;
  readonly clock: Clock;
  readonly confirm: () => Promise<ConfirmAnswer>;
}

/** What the socket offers, carried out by the agent's stages. */
export class AgentControl implements ControlTarget {
  private readonly stages: ControlledStages;

  constructor(stages: ControlledStages) {
    this.stages = stages;
  }

  confirm(): Promise<ConfirmAnswer> {
    return this.stages.confirm();
  }

  async grants(): Promise<readonly GrantRow[]> {
    const { granter, clock } = this.stages;
    // A kernel that cannot be asked is told by readiness; what the ledger knows is shown all the same.
    const strays = await granter.grantsByHand().catch(() => []);
    const now = clock.nowMicros();
    return [...granter.liveGrants(), ...strays].map(({ source, port, policies, deadlineMicros }) => ({
      source: formatAddress(source),
      port: formatPort(port),
      sequences: [...new Set(policies.map((id) => granter.nameOf(id)))],
      leftSeconds: deadlineMicros === undefined ? null : (deadlineMicros - now) / 1e6,
    }));
  }

  /** Ports of grants, and doors that commands have opened, here; then grants on the other nodes. */
  async revoke(source: Address, sequence: string | undefined): Promise<number> {
    const { granter, doors, replicator } = this.stages;
    const closed = doors.revoke(source, sequence) + (await granter.revoke(source, sequence));
    await replicator?.revoke(source, sequence);
    return closed;
  }

  watch(source: Address | undefined, show: (event: object) => void): Watching | undefined {
    const { observability } = this.stages;
    const stop = observability.subscribe({ source }, show);
    return stop && { first: observability.watching({ source }), stop };
  }
}
