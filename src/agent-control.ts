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
  private readonly observability: Observability;
  private readonly clock: Clock;

  constructor(granter: Granter, observability: Observability, clock: Clock, confirm: () => Promise<ConfirmAnswer>) {
    this.confirm = confirm;
    this.granter = granter;
    this.observability = observability;
    this.clock = clock;
  }

  async grants(): Promise<readonly GrantRow[]> {
    // A kernel that cannot be asked is told by readiness; what the ledger knows is shown all the same.
    const strays = await this.granter.grantsByHand().catch(() => []);
    const now = this.clock.nowMicros();
    return [...this.granter.liveGrants(), ...strays].map(({ source, port, policies, deadlineMicros }) => ({
      source: formatAddress(source),
      port: formatPort(port),
      sequences: policies.map((id) => this.granter.nameOf(id)),
      leftSeconds: deadlineMicros === undefined ? null : (deadlineMicros - now) / 1e6,
    }));
  }

  revoke(source: Address, sequence: string | undefined): Promise<number> {
    return this.granter.revoke(source, sequence);
  }

  watch(source: Address | undefined, show: (event: object) => void): (() => void) | undefined {
    return this.observability.subscribe({ source }, show);
  }
}
