import { randomBytes } from "node:crypto";
import { systemClock } from "../../src/clock.ts";
import type { Snapshot } from "../../src/config-source/config-source.ts";
import { CrdSource, objectText } from "../../src/config-source/crd-source.ts";
import { SequenceTerms } from "../../src/config-source/sequence-terms.ts";
import { Granter } from "../../src/grant/granter.ts";
import { ApiClient } from "../../src/kubernetes/api-client.ts";
import { KubeCredentials } from "../../src/kubernetes/credentials.ts";
import { Lease } from "../../src/kubernetes/lease.ts";
import { type NodeClaim, NodeStatus } from "../../src/kubernetes/node-status.ts";
import { NodeWatch } from "../../src/kubernetes/node-watch.ts";
import type { KubeObject } from "../../src/kubernetes/resource.ts";
import { SequenceStatus } from "../../src/kubernetes/sequence-status.ts";
import { Watches } from "../../src/kubernetes/watches.ts";
import { parseAddress } from "../../src/policy/address.ts";
import { verdictOf } from "../../src/policy/object-verdict.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { GrantReplicator } from "../../src/replication/grant-replicator.ts";
import { FakeGate } from "../fake/fake-gate.ts";
import { compiledOnce } from "./compiled-policies.ts";

const silent = { restarted: () => undefined, condition: () => undefined, handlerFailed: rethrow };
const conditionTypes = ["Ready", "CaptureUp", "TableIntact", "ConfigCurrent", "APIReachable", "GateBypassed"];

/**
 * What one agent does at the Kubernetes API, as src has it: its watches, its row, its part in the Lease and in the doors of every
 * node. Only Events are left out: a write in ten seconds at most, for a policy and a node. Its kernel is in memory, and it hears
 * of knocks by a call. What policies say is compiled once for all agents: on nodes of their own they would do that at once, here
 * one after the other.
 */
export class SimulatedAgent {
  readonly name: string;
  private readonly client: ApiClient;
  private readonly node: NodeWatch;
  private readonly crd: CrdSource;
  private readonly lease: Lease;
  private readonly sequences: SequenceStatus;
  private readonly row: NodeStatus;
  private readonly granter: Granter;
  private readonly replicator: GrantReplicator;
  private policies: readonly Policy[] = [];
  private problems = 0;

  constructor(kubeconfig: string, namespace: string, name: string) {
    this.name = name;
    const clock = systemClock;
    const random = Math.random;
    const credentials = new KubeCredentials(clock, { path: kubeconfig, reader: "agent" });
    this.client = new ApiClient({ credentials, clock });
    const { client } = this;
    const watches = new Watches({ client, clock, random, report: silent });
    const failed = () => {
      this.problems++;
    };
    this.node = new NodeWatch(watches, name, () => this.crd.labelsChanged(), undefined);
    const leads = () => this.lease.held;
    const ownVerdict = (object: Parameters<typeof objectText>[0]) => verdictOf(objectText(object));
    this.sequences = new SequenceStatus({ client, clock, leads, verdictOf: ownVerdict, said: () => undefined, failed });
    const nodeLabels = () => this.node.labels;
    const namespaces = [namespace];
    const terms = new SequenceTerms();
    const seen = (all: readonly KubeObject[], isWhole: boolean) => {
      terms.take(all, isWhole);
      this.sequences.take(all);
    };
    this.crd = new CrdSource({ watches, clock, namespaces, nodeLabels, seen });
    const changed = (held: boolean) => {
      if (held) this.sequences.lead();
    };
    const holder = `${name}_${randomBytes(6).toString("hex")}`;
    this.lease = new Lease({ client, clock, random, namespace, name: "knockgate", holder, changed, failed });
    const nodeUid = () => this.node.uid;
    this.row = new NodeStatus({ client, clock, random, node: name, nodeUid, claim: async () => this.claim(), failed });
    this.granter = new Granter({
      gate: new ForgetfulGate(),
      clock,
      connections: { cut: async () => undefined },
      report: { grant: () => undefined, active: () => undefined },
      neverGrants: [],
      maxGrants: 65_536,
    });
    this.replicator = new GrantReplicator({
      client,
      watches,
      namespaces,
      node: name,
      clock,
      random,
      doors: this.granter,
      isNeverGranted: () => false,
      isLeader: leads,
      termsOf: (policy) => terms.of(policy),
      report: { created: () => undefined, deleted: () => undefined, waiting: () => undefined, warned: failed },
      grants: { grant: () => undefined },
    });
  }

  /** Requests that had to be made again. */
  get troubles(): number {
    return this.problems;
  }

  /** Resolves when its policies are in force. */
  async start(): Promise<void> {
    this.lease.start();
    this.row.start();
    await this.node.start();
    this.replicator.start();
    await this.crd.start((snapshot) => this.take(snapshot));
  }

  /** What tells the policy of this name, as it is now, from what it was. */
  fingerprintOf(name: string): string | undefined {
    return this.policies.find((policy) => policy.name === name)?.fingerprint;
  }

  get openDoors(): number {
    return this.granter.liveGrants().length;
  }

  /** A right knock of this source on this node. */
  knock(name: string, source: string): void {
    const policy = this.policies.find((each) => each.name === name);
    const address = parseAddress(source);
    if (policy === undefined || address === undefined) throw new Error(`${name} is not in force on ${this.name}`);
    const atMicros = systemClock.nowMicros();
    const completion = { policy, action: "open", source: address, atMicros, packet: source } as const;
    this.granter.complete(completion);
    this.replicator.completed(completion);
  }

  async close(): Promise<void> {
    await this.replicator.close();
    await Promise.all([this.lease.close(), this.sequences.close(), this.row.close(), this.node.close()]);
    await this.crd.close();
    await this.granter.close();
    this.client.close();
  }

  private take(snapshot: Snapshot): void {
    const policies = compiledOnce(snapshot.documents);
    if (policies === this.policies) return; // the same again, as after a status was written
    this.policies = policies;
    this.granter.usePolicies(this.policies);
    this.replicator.usePolicies(this.policies);
  }

  /** As src/node-claim.ts makes it of an agent that is well. */
  private claim(): NodeClaim {
    const conditions = conditionTypes.map((type) => {
      const status = type === "GateBypassed" ? ("False" as const) : ("True" as const);
      return { type, status, reason: "Simulated", message: "As wanted." };
    });
    const policies = { accepted: this.policies.length, rejected: 0, rejections: [] };
    return { conditions, fields: { nodeName: this.name, mode: "enforce", policies, grants: this.openDoors } };
  }
}

/** Keeps what is open, and not how it came to be. */
class ForgetfulGate extends FakeGate {
  override async commit(changes: Parameters<FakeGate["commit"]>[0]): ReturnType<FakeGate["commit"]> {
    const results = await super.commit(changes);
    this.commits.length = 0;
    return results;
  }
}

function rethrow(_: unknown, error: unknown): never {
  throw error;
}
