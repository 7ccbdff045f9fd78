import { randomBytes } from "node:crypto";
import { release } from "node:os";
import type { Clock, Timer } from "./clock.ts";
import { objectText } from "./config-source/crd-source.ts";
import { seeBypasses } from "./doctor/bypass.ts";
import { askProgram } from "./doctor/inquiry.ts";
import type { GrantEvent } from "./grant/grant-report.ts";
import type { ApiClient } from "./kubernetes/api-client.ts";
import type { ApiError } from "./kubernetes/api-error.ts";
import { EventRecorder } from "./kubernetes/event-recorder.ts";
import { Lease } from "./kubernetes/lease.ts";
import { NodeStatus } from "./kubernetes/node-status.ts";
import type { KubeObject, ObjectMetadata } from "./kubernetes/resource.ts";
import { SequenceStatus } from "./kubernetes/sequence-status.ts";
import { type Bypass, nodeClaim } from "./node-claim.ts";
import type { AgentStatus } from "./observability/status.ts";
import { type ObjectVerdict, verdictOf } from "./policy/object-verdict.ts";
import type { Port } from "./policy/port.ts";

/** The name of the Lease, in the agents' namespace. */
const leaseName = "knockgate";
/** Listing everybody's rules costs seconds where kube-proxy has ten thousand of them. */
const bypassMs = 300_000;

/** As many different warnings are remembered, so as not to be given again. */
const mostWarnings = 100;
/** Why a door is closed before its time on the node where somebody wanted it. */
const closedHere: ReadonlySet<string> = new Set(["closedBy", "socket", "kernel"]);

/** What the agent is at the moment. */
export interface AgentView {
  readonly status: AgentStatus;
  readonly guarded: readonly Port[];
}

/** What the status side works with. */
export interface KubernetesStatusOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  /** Of the agents, where the Lease lies. */
  readonly namespace: string;
  /** Of the node; empty where it is not known, and then there is no KnockNode. */
  readonly nodeName: string;
  readonly nodeUid: () => string | undefined;
  /** As `--interface` has it. */
  readonly interfaces: readonly string[];
  readonly warned: (message: string) => void;
}

/**
 * What an agent tells the Kubernetes API: the status of every KnockSequence where it holds the Lease, and its own KnockNode. Only
 * objects are written here, and nothing that the gate does depends on it.
 */
export class KubernetesStatus {
  private readonly options: KubernetesStatusOptions;
  private readonly lease: Lease;
  private readonly sequences: SequenceStatus;
  private readonly node: NodeStatus | undefined;
  private view: () => AgentView | undefined = () => undefined;
  private bypass: { readonly seen: Promise<Bypass>; readonly timer: Timer } | undefined;
  private readonly events: EventRecorder;
  /** Of every KnockSequence, by `namespace/name`. */
  private subjects: ReadonlyMap<string, ObjectMetadata> = new Map();
  /** What was warned of; the same again is not news. */
  private readonly warnedOf = new Set<string>();

  constructor(options: KubernetesStatusOptions) {
    this.options = options;
    const { client, clock, namespace, nodeName, nodeUid } = options;
    const failed = (error: ApiError) => this.warn(error);
    this.lease = new Lease({
      client,
      clock,
      random: Math.random,
      namespace,
      name: leaseName,
      holder: `${nodeName || "agent"}_${randomBytes(6).toString("hex")}`,
      changed: (held) => {
        if (held) this.sequences.lead();
      },
      failed,
    });
    this.sequences = new SequenceStatus({
      client,
      clock,
      leads: () => this.lease.held,
      verdictOf: (object) => verdictOf(objectText(object)),
      said: ({ metadata }, verdict) => this.tellVerdict(metadata, verdict),
      failed,
    });
    this.events = new EventRecorder({ client, clock, host: nodeName || "agent", failed });
    if (nodeName === "") return;
    const claim = () => this.claim();
    this.node = new NodeStatus({ client, clock, random: Math.random, node: nodeName, nodeUid, claim, failed });
  }

  /** Whether this agent is the one who writes for all. */
  get leads(): boolean {
    return this.lease.held;
  }

  /** All KnockSequences, whenever one has changed. */
  take(objects: readonly KubeObject[]): void {
    this.subjects = new Map(objects.map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, metadata]));
    this.events.keep(new Set(objects.map(({ metadata }) => metadata.uid ?? "")));
    this.sequences.take(objects);
  }

  /**
   * What has become of a grant. Only what this node began is told: a knock that it saw, and a door that was closed here. What
   * other nodes did comes as KnockGrants, and they have told it.
   */
  granted({ kind, detail = "", policy }: GrantEvent): void {
    const subject = this.subjects.get(policy);
    if (subject === undefined) return;
    const where = this.options.nodeName === "" ? "" : ` on ${this.options.nodeName}`;
    if ((kind === "added" || kind === "renewed") && detail === "knock")
      this.events.tell(subject, "Granted", `A knock${where} opened the door.`);
    if (kind === "revoked" && closedHere.has(detail))
      this.events.tell(subject, "Revoked", `The door was closed${where} before its time was over.`);
  }

  /** `view` tells what the agent is whenever it is asked; undefined before its stages are built. */
  start(view: () => AgentView | undefined): void {
    this.view = view;
    this.lease.start();
    this.node?.start();
  }

  /** Idempotent; the API gets a second to answer. */
  async close(): Promise<void> {
    this.bypass?.timer.cancel();
    await Promise.all([this.lease.close(), this.sequences.close(), this.events.close(), this.node?.close()]);
  }

  private tellVerdict(subject: ObjectMetadata, { accepted, reason, message }: ObjectVerdict): void {
    if (accepted) this.events.tell(subject, "Accepted", message);
    else this.events.tell(subject, "Rejected", `${reason}: ${message}`);
  }

  private async claim() {
    const view = this.view();
    if (view === undefined) return undefined;
    const surroundings = { node: this.options.nodeName, kernel: release() };
    return nodeClaim(view.status, await this.bypasses(view.guarded), surroundings);
  }

  /** What was seen in the last five minutes. */
  private bypasses(guarded: readonly Port[]): Promise<Bypass> {
    if (this.bypass === undefined) {
      const timer = this.options.clock.after(bypassMs, () => {
        this.bypass = undefined;
      });
      this.bypass = { seen: seeBypasses(askProgram, guarded, this.options.interfaces), timer };
    }
    return this.bypass.seen;
  }

  private warn(error: ApiError): void {
    const message = `What the agent says of itself and of policies could not be written: ${error.message}; it is tried again.`;
    if (this.warnedOf.has(message)) return;
    if (this.warnedOf.size === mostWarnings) this.warnedOf.clear();
    this.warnedOf.add(message);
    this.options.warned(message);
  }
}
