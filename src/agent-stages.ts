import { AgentControl } from "./agent-control.ts";
import { AgentDoors } from "./agent-doors.ts";
import type { LinkWatch } from "./capture/link-watch.ts";
import type { PacketSource } from "./capture/packet-source.ts";
import { openCapture } from "./capture-choice.ts";
import { watchFor } from "./capture-watch.ts";
import { systemClock } from "./clock.ts";
import { ConfigKeeper } from "./config-source/config-keeper.ts";
import { FileSource } from "./config-source/file-source.ts";
import { KeptSnapshots } from "./config-source/kept-snapshots.ts";
import { SnapshotFile } from "./config-source/snapshot-file.ts";
import { Confirmation } from "./confirmation.ts";
import { ConfirmationFile } from "./confirmation-file.ts";
import { ControlServer } from "./control/control-server.ts";
import { addGuards, type Guarding, gateSpecFor, noGuards, standingGuards } from "./gate-spec.ts";
import type { GrantEvent } from "./grant/grant-report.ts";
import { Granter } from "./grant/granter.ts";
import { isNeverGranted } from "./grant/never-grant.ts";
import type { KubernetesStages } from "./kubernetes-stages.ts";
import { bootId } from "./moment.ts";
import { SocketCutter } from "./nftables/connection-cutter.ts";
import type { Nft } from "./nftables/nft.ts";
import { mayPass } from "./nftables/nft-error.ts";
import { Reconciler } from "./nftables/reconciler.ts";
import { droppedCounter } from "./nftables/ruleset.ts";
import type { Observability } from "./observability/observability.ts";
import type { StatusOfAgent } from "./observability/status.ts";
import { type AgentOptions, defaultDropProblem } from "./options.ts";
import { type Address, contains, sameAddress } from "./policy/address.ts";
import type { Compilation } from "./policy/compile.ts";
import type { GrantReplicator } from "./replication/grant-replicator.ts";
import { KnockTracker } from "./sequence/knock-tracker.ts";

/** What the stages are given from outside. */
export interface Outside {
  readonly nft: Nft;
  readonly links: LinkWatch;
  readonly kubernetes: KubernetesStages | undefined;
  /** Doors of a knockd.conf without an IPv6 target count IPv4 only. */
  readonly onlyIpv4: boolean;
}

/** The stages of an agent that is alone in its network namespace and may write to nftables. */
export class AgentStages {
  readonly granter: Granter;
  readonly nft: Nft;
  private readonly doors: AgentDoors;
  private readonly options: AgentOptions;
  private readonly observability: Observability;
  private readonly links: LinkWatch;
  private readonly kubernetes: KubernetesStages | undefined;
  private readonly replicator: GrantReplicator | undefined;
  private readonly capture: PacketSource;
  private readonly tracker: KnockTracker;
  private readonly reconciler: Reconciler;
  private readonly keeper: ConfigKeeper;
  private readonly control: ControlServer;
  private readonly confirmation: Confirmation;
  private readonly onlyIpv4: boolean;
  private guarding: Guarding | undefined;
  /** What the table guarded before this agent; undefined before the first configuration. */
  private standing: Guarding | undefined;
  /** Whether a first configuration has gone through every stage. */
  private begun = false;

  constructor(options: AgentOptions, observability: Observability, outside: Outside) {
    const { nft, links, kubernetes, onlyIpv4 } = outside;
    this.options = options;
    this.onlyIpv4 = onlyIpv4;
    this.observability = observability;
    this.nft = nft;
    this.links = links;
    this.kubernetes = kubernetes;
    this.confirmation = this.createConfirmation();
    this.reconciler = this.createReconciler();
    this.granter = this.createGranter();
    this.doors = this.createDoors();
    this.replicator = this.createReplicator();
    this.tracker = new KnockTracker({
      maxSources: options.maxSources,
      report: observability.sequence,
      complete: (completion) => {
        this.doors.complete(completion);
        this.replicator?.completed(completion);
      },
      isLocal: (target) => this.isLocal(target),
    });
    observability.trackEngine(this.tracker);
    observability.metrics.grantsLimit(options.maxGrants);
    observability.countDrops(async () => (await nft.counter(droppedCounter))?.packets);
    this.capture = openCapture(options, { clock: systemClock, report: observability.capture, links });
    this.keeper = this.createKeeper();
    const confirm = () => this.confirm();
    const target = new AgentControl({
      granter: this.granter,
      doors: this.doors,
      replicator: this.replicator,
      observability,
      clock: systemClock,
      confirm,
    });
    this.control = new ControlServer(options.socket, target);
  }

  /** The control socket first: it tells whether the path is free before anything is changed. */
  async start(): Promise<void> {
    await this.control.start();
    await this.kubernetes?.start(
      () => this.keeper.weighAgain(),
      () => ({ status: this.observability.status(this.status), guarded: this.guarding?.guarded ?? [] }),
    );
    this.replicator?.start();
    await this.keeper.start().catch(async (error: unknown) => {
      if (!mayPass(error)) throw error;
      await this.keeper.reread(); // which goes on trying: what fails may be over in a moment
    });
  }

  async reread(): Promise<void> {
    await this.keeper.reread();
  }

  /** What only the stages know of the status. */
  get status(): StatusOfAgent {
    const { mode, state: confirmation } = this.confirmation;
    return { mode, confirmation, grants: this.granter.liveGrants().length, nftables: this.nft.means };
  }

  /** Addresses of Kubernetes services may have come or gone. */
  linksChanged(): void {
    this.loadAgain().catch((error: unknown) => this.observability.gate.warned(String(error)));
  }

  async drain(): Promise<void> {
    this.confirmation.close();
    await this.keeper.close();
    await this.replicator?.close();
    await this.kubernetes?.close();
    await this.capture.close();
    await this.granter.close();
    await this.doors.drain();
    await this.reconciler.close();
    await this.control.close();
  }

  /** One configuration into force: the kernel closes first, then knocks count, then they are captured. */
  private async apply(compilation: Compilation, isWhole: boolean): Promise<void> {
    const guarding = await this.withStandingGuards(compilation, isWhole && compilation.rejected === 0);
    const lockout = defaultDropProblem(this.options, guarding.guarded.length > 0);
    if (lockout !== undefined) throw new Error(lockout);
    this.confirmation.enforce({ ...this.options, ...guarding });
    const spec = this.gateSpec(guarding);
    this.guarding = guarding; // whoever loads again from now on must not put back what was guarded before
    await (this.begun ? this.reconciler.use(spec) : this.reconciler.start(spec));
    const { policies } = compilation;
    this.observability.usePolicies(policies);
    this.doors.usePolicies(policies);
    this.granter.usePolicies(policies);
    if (!this.begun) await this.granter.restore();
    this.replicator?.usePolicies(policies);
    if (!this.begun) this.doors.restore();
    this.observability.setStage("grants", undefined);
    this.tracker.usePolicies(policies);
    const watch = watchFor(policies, this.options.guardAddresses);
    if (this.begun) await this.capture.update(watch);
    else await this.capture.start(watch, (knock) => this.tracker.observe(knock));
    this.begun = true;
  }

  /**
   * At the start the kernel may guard ports from before, for policies that cannot be taken now: they stay guarded until all
   * policies can be.
   */
  private async withStandingGuards(compilation: Compilation, isComplete: boolean): Promise<Guarding> {
    this.standing ??= isComplete ? noGuards : standingGuards(await this.nft.list());
    if (isComplete) this.standing = noGuards;
    const guarding = addGuards(compilation, this.standing);
    if (guarding.guarded.length > compilation.guarded.length) {
      const kept =
        "ports that were guarded before stay guarded until every policy can be taken: mend the configuration";
      this.observability.gate.warned(kept);
    }
    return guarding;
  }

  private gateSpec(guarding: Guarding) {
    return gateSpecFor(this.options, guarding, this.links.state?.exemptAddresses ?? [], this.confirmation.mode);
  }

  /** The table again, for the same ports, as the links and the confirmation are now. */
  private async loadAgain(): Promise<void> {
    if (this.guarding !== undefined) await this.reconciler.use(this.gateSpec(this.guarding));
  }

  /** The operator says that he gets in. */
  private async confirm() {
    const before = this.confirmation.state;
    if (this.confirmation.confirm()) await this.loadAgain();
    return { before };
  }

  /** A stranger's right knock shows that the door can be opened. */
  private granted({ kind, source, detail }: GrantEvent): void {
    const opened = (kind === "added" || kind === "renewed") && detail === "knock";
    if (!opened || this.options.trusts.some((range) => contains(range, source))) return;
    if (this.confirmation.confirm()) this.linksChanged();
  }

  private isLocal(target: Address): boolean {
    const isOwn = this.links.state?.localAddresses.some((own) => sameAddress(own, target)) ?? false;
    return isOwn || this.options.guardAddresses.some((range) => contains(range, target));
  }

  private createConfirmation(): Confirmation {
    const { mode, confirmWithin, stateDir } = this.options;
    return new Confirmation({
      mode,
      withinMicros: confirmWithin,
      clock: systemClock,
      boot: bootId(),
      file: new ConfirmationFile(stateDir),
      report: this.observability.confirmation,
      lapsed: () => this.linksChanged(),
    });
  }

  private createReconciler(): Reconciler {
    return new Reconciler({
      nft: this.nft,
      clock: systemClock,
      report: this.observability.gate,
      stateDir: this.options.stateDir,
      forBoot: (spec) => ({ ...spec, mode: this.confirmation.bootMode }),
      liveGrants: () => this.granter.liveGrants(),
      acceptRevocation: (missing) => this.granter.acceptRevocation(missing),
    });
  }

  private createGranter(): Granter {
    const { gate, grants } = this.observability;
    return new Granter({
      gate: this.reconciler.gate,
      connections: new SocketCutter((message) => gate.warned(message)),
      clock: systemClock,
      report: {
        grant: (event) => {
          grants.grant(event);
          this.doors.granted(event);
          this.granted(event);
          this.kubernetes?.granted(event);
        },
        active: (policy, count) => grants.active(policy, count),
      },
      neverGrants: this.options.neverGrants,
      maxGrants: this.options.maxGrants,
    });
  }

  private createReplicator(): GrantReplicator | undefined {
    return this.kubernetes?.createReplicator({
      doors: this.granter,
      isNeverGranted: (source, policy) => isNeverGranted(source, policy, this.options.neverGrants),
      report: this.observability.replication,
      grants: this.observability.grants,
    });
  }

  private createDoors(): AgentDoors {
    const { granter, observability, options } = this;
    const grant = (event: GrantEvent) => {
      observability.grants.grant(event);
      this.granted(event);
    };
    const { commands } = observability;
    return new AgentDoors({ options, granter, grants: { grant }, commands, reread: () => this.reread() });
  }

  private createKeeper(): ConfigKeeper {
    const { configs, knockdConfs, guards, serves, allowCommands, allowCritical, stateDir, stateSecrets } = this.options;
    const { config: report } = this.observability;
    const { kubernetes, onlyIpv4 } = this;
    const files = new FileSource({ paths: configs, clock: systemClock });
    const doors = new FileSource({ paths: knockdConfs, clock: systemClock, format: "knockd-conf" });
    const defaultNamespace = kubernetes?.namespace ?? "default";
    return new ConfigKeeper({
      sources: [files, ...(knockdConfs.length === 0 ? [] : [doors]), ...(kubernetes?.sources ?? [])],
      compileOptions: { guards, served: serves, allowCommands, allowCritical, defaultNamespace, onlyIpv4 },
      nodeLabels: () => kubernetes?.nodeLabels,
      clock: systemClock,
      report,
      kept: new KeptSnapshots({
        store: new SnapshotFile(stateDir, { keepsSecrets: stateSecrets }),
        clock: systemClock,
        warned: (message) => report.warned(message),
      }),
      apply: (compilation, isWhole) => this.apply(compilation, isWhole),
    });
  }
}
