import { setImmediate } from "node:timers/promises";
import type { Clock, Timer } from "../../src/clock.ts";
import type { GrantEvent } from "../../src/grant/grant-report.ts";
import { Granter } from "../../src/grant/granter.ts";
import { isNeverGranted } from "../../src/grant/never-grant.ts";
import type { KubeObject } from "../../src/kubernetes/resource.ts";
import { Watches } from "../../src/kubernetes/watches.ts";
import { formatAddress, parseAddress, parseCidr } from "../../src/policy/address.ts";
import type { KnownTerms } from "../../src/policy/grant-terms.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { formatPort } from "../../src/policy/port.ts";
import { GrantReplicator } from "../../src/replication/grant-replicator.ts";
import type { FakeApi } from "./fake-api.ts";
import type { FakeClock } from "./fake-clock.ts";
import { FakeGate } from "./fake-gate.ts";

/** How a node differs from others. */
export interface NodeOptions {
  readonly name?: string;
  /** What the node's wall shows too much, seconds. */
  readonly wallAheadSeconds?: number;
  /** When its monotonic clock began, seconds before that of the test. */
  readonly upSeconds?: number;
  readonly never?: readonly string[];
  readonly isLeader?: boolean;
  /** What KnockSequences that are not in force on the node allow, by name. */
  readonly terms?: ReadonlyMap<string, KnownTerms>;
  /** How long it takes to judge one grant. */
  readonly judgeMs?: number;
  /** What the kernel holds from before. */
  readonly gate?: FakeGate;
}

/** The clock of one node: it runs as the test's does, and shows something else. */
class NodeClock implements Clock {
  private readonly clock: FakeClock;
  private readonly ahead: { readonly wallMicros: number; readonly upMicros: number };

  constructor(clock: FakeClock, { wallAheadSeconds = 0, upSeconds = 0 }: NodeOptions) {
    this.clock = clock;
    this.ahead = { wallMicros: wallAheadSeconds * 1e6, upMicros: upSeconds * 1e6 };
  }

  nowMicros(): number {
    return this.clock.nowMicros() + this.ahead.upMicros;
  }

  wallMicros(): number {
    return this.clock.wallMicros() + this.ahead.wallMicros;
  }

  after(delayMs: number, action: () => void): Timer {
    return this.clock.after(delayMs, action);
  }
}

/** One agent's grant stage and replication, with a kernel in memory. */
export class ReplicatedNode {
  readonly gate: FakeGate;
  readonly granter: Granter;
  readonly replicator: GrantReplicator;
  readonly events: GrantEvent[] = [];
  readonly created: string[] = [];
  readonly warnings: string[] = [];
  readonly clock: Clock;
  waiting = 0;

  constructor(api: FakeApi, clock: FakeClock, options: NodeOptions = {}) {
    this.clock = new NodeClock(clock, options);
    this.gate = options.gate ?? new FakeGate();
    const never = (options.never ?? []).flatMap((range) => parseCidr(range) ?? []);
    this.granter = new Granter({
      gate: this.gate,
      clock: this.clock,
      connections: { cut: async () => undefined },
      report: { grant: (event) => this.events.push(event), active: () => undefined },
      neverGrants: never,
      maxGrants: 100,
    });
    const random = () => 0.5;
    const silent = { restarted: () => undefined, condition: () => undefined, handlerFailed: fail };
    this.replicator = new GrantReplicator({
      client: api,
      watches: new Watches({ client: api, clock: this.clock, random, report: silent }),
      namespaces: ["default"],
      node: options.name ?? "node-a",
      clock: this.clock,
      random,
      doors: this.granter,
      isNeverGranted: (source, policy) => {
        if (options.judgeMs !== undefined) clock.advance(options.judgeMs);
        return isNeverGranted(source, policy, never);
      },
      isLeader: () => options.isLeader ?? false,
      termsOf: (name) => options.terms?.get(name) ?? "unknown",
      report: {
        created: (result) => this.created.push(result),
        deleted: () => undefined,
        waiting: (count) => {
          this.waiting = count;
        },
        warned: (message) => this.warnings.push(message),
      },
      grants: { grant: (event) => this.events.push(event) },
    });
  }

  /** As an agent begins: policies, what the kernel has, then the API. */
  async start(policies: readonly Policy[]): Promise<void> {
    this.granter.usePolicies(policies);
    await this.granter.restore();
    this.replicator.usePolicies(policies);
    this.replicator.start();
    await settle();
  }

  async usePolicies(policies: readonly Policy[]): Promise<void> {
    this.granter.usePolicies(policies);
    this.replicator.usePolicies(policies);
    await settle();
  }

  /** A right knock that this node sees. */
  async knock(policy: Policy, source: string, packet = "packet", action: "open" | "close" = "open"): Promise<void> {
    const address = parseAddress(source);
    if (address === undefined) throw new Error(source);
    const completion = { policy, action, source: address, atMicros: this.clock.nowMicros(), packet };
    this.granter.complete(completion);
    this.replicator.completed(completion);
    await settle();
  }

  /** What the kernel has open, `192.0.2.11 22/tcp 30.0s`. */
  get open(): readonly string[] {
    return this.live.map(({ source, port, deadlineMicros }) => {
      const left = deadlineMicros === undefined ? "until closed" : `${this.leftSeconds(deadlineMicros).toFixed(1)}s`;
      return `${formatAddress(source)} ${formatPort(port)} ${left}`;
    });
  }

  /** How long the only door stays open, seconds; 0 when there is none. */
  get left(): number {
    const [grant] = this.live;
    return grant === undefined ? 0 : this.leftSeconds(grant.deadlineMicros ?? Infinity);
  }

  /** Who holds the only door. */
  get holds(): readonly string[] {
    return this.live.flatMap(({ policies }) => policies);
  }

  /** The kernel lets go of what is over by itself. */
  private get live() {
    const now = this.clock.nowMicros();
    return [...this.gate.open.values()].filter(({ deadlineMicros = Infinity }) => deadlineMicros > now);
  }

  private leftSeconds(deadlineMicros: number): number {
    return (deadlineMicros - this.clock.nowMicros()) / 1e6;
  }
}

function fail(_: unknown, error: unknown): never {
  throw error;
}

/** Lets everything that is under way come to rest. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await setImmediate();
}

/** A KnockGrant as somebody creates it by hand. */
export function handMade(name: string, spec: object): KubeObject {
  return { metadata: { namespace: "default", name }, spec } as KubeObject;
}
