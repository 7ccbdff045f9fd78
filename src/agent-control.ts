import type { AgentDoors } from "./agent-doors.ts";
import type { Clock } from "./clock.ts";
import type { ConfirmAnswer, ControlTarget, GrantRow } from "./control/control-api.ts";
import type { Granter } from "./grant/granter.ts";
import type { Observability } from "./observability/observability.ts";
import { type Address, formatAddress } from "./policy/address.ts";
import { formatPort } from "./policy/port.ts";

/** What the socket offers, carried out by the agent's stages. */
export class AgentControl implements ControlTarget {
  readonly confirm: () => Promise<ConfirmAnswer>;
  private readonly granter: Granter;
  private readonly doors: Pick<AgentDoors, "revoke">;
  private readonly observability: Observability;
  private readonly clock: Clock;

  constructor(
    granter: Granter,
    doors: Pick<AgentDoors, "revoke">,
    observability: Observability,
    clock: Clock,
    confirm: () => Promise<ConfirmAnswer>,
  ) {
    this.confirm = confirm;
    this.doors = doors;
    this.granter = granter;
    this.observability = observability;
    this.clock = clock;
  }

  grants(): readonly GrantRow[] {
    const now = this.clock.nowMicros();
    return this.granter.liveGrants().map(({ source, port, policies, deadlineMicros }) => ({
      source: formatAddress(source),
      port: formatPort(port),
      sequences: policies.map((id) => this.granter.nameOf(id)),
      leftSeconds: deadlineMicros === undefined ? null : (deadlineMicros - now) / 1e6,
    }));
  }

  /** Ports of grants, and doors that commands have opened. */
  async revoke(source: Address, sequence: string | undefined): Promise<number> {
    return this.doors.revoke(source, sequence) + (await this.granter.revoke(source, sequence));
  }

  watch(source: Address | undefined, show: (event: object) => void): (() => void) | undefined {
    return this.observability.subscribe({ source }, show);
  }
}
