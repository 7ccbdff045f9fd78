import type { Writable } from "node:stream";
import { AgentControl } from "./agent-control.ts";
import { LinkWatch } from "./capture/link-watch.ts";
import { LiveSource } from "./capture/live-source.ts";
import { watchFor } from "./capture-watch.ts";
import { systemClock } from "./clock.ts";
import { ConfigKeeper } from "./config-source/config-keeper.ts";
import { FileSource } from "./config-source/file-source.ts";
import { ControlServer } from "./control/control-server.ts";
import { gateSpecFor } from "./gate-spec.ts";
import { Granter } from "./grant/granter.ts";
import { InstanceLock } from "./instance-lock.ts";
import { SocketCutter } from "./nftables/connection-cutter.ts";
import type { Nft } from "./nftables/nft.ts";
import { openNft } from "./nftables/open-nft.ts";
import { Reconciler } from "./nftables/reconciler.ts";
import { createHttpServer, listen } from "./observability/http-server.ts";
import { Observability } from "./observability/observability.ts";
import { type AgentOptions, defaultDropProblem } from "./options.ts";
import type { Compilation } from "./policy/compile.ts";
import { KnockTracker } from "./sequence/knock-tracker.ts";

/** What an agent is given beside its options. */
export interface AgentSurroundings {
  readonly version: string;
  readonly revision: string;
  /** Where the log goes. */
  readonly stdout: Writable;
}

/**
 * The gateway: builds each stage once, starts them left to right as the flow needs them (the kernel closes before anybody
 * can knock), and drains them right to left. Everything that a stage tells goes to observability; nothing comes back.
 */
export class Agent {
  private readonly options: AgentOptions;
  private readonly observability: Observability;
  private readonly http;
  private readonly lock: InstanceLock;
  private readonly links: LinkWatch;
  private readonly started: (() => Promise<void> | void)[] = [];
  private running: Running | undefined;

  constructor(options: AgentOptions, surroundings: AgentSurroundings) {
    this.options = options;
    const { version, revision, stdout } = surroundings;
    const build = { version, revision, nodeVersion: process.version, libpcapVersion: "unknown", nftVersion: "unknown" };
    const { logLevel, logFormat } = options;
    this.observability = new Observability({ clock: systemClock, build, logLevel, logFormat, stdout });
    this.lock = new InstanceLock(options.stateDir);
    const warned = (message: string) => this.observability.capture.warned(message);
    this.links = new LinkWatch({ clock: systemClock, warned });
    this.http = createHttpServer({
      readiness: () => this.observability.readiness(),
      status: () => this.observability.status(this.statusOfAgent()),
      metrics: this.observability.metrics,
    });
  }

  /**
   * Resolves when every stage has started; readiness tells whether all of them work. Rejects with one sentence where the
   * agent cannot run at all. `ending` ends the wait for another agent.
   */
  async start(ending: AbortSignal): Promise<void> {
    const { options, observability } = this;
    observability.log("agent-starting", "Knockgate begins.", { mode: options.mode });
    await listen(this.http, options.listen);
    this.started.push(() => this.http.close());
    if (!(await this.becomeOnlyAgent(ending))) return;
    const nft = await openNft((message) => observability.gate.warned(message));
    this.started.push(() => nft.close());
    await this.links.start(() => this.running?.linksChanged());
    this.started.push(() => this.links.close());
    this.running = new Running(options, observability, nft, this.links);
    this.started.push(() => this.running?.drain());
    await this.running.start();
  }

  /** Reads the configuration again (SIGHUP). */
  async reread(): Promise<void> {
    await this.running?.reread();
  }

  /** Stops from right to left: no knock is taken any more, the last transaction is finished, the table stays. */
  async drain(): Promise<void> {
    this.observability.stopping();
    for (const stop of this.started.splice(0).reverse()) await stop();
    this.lock.release();
    this.observability.log("agent-stopped", "Knockgate has ended; guarded ports stay guarded.");
    await Promise.race([
      this.observability.drained(),
      new Promise<void>((resolve) => void systemClock.after(500, resolve)),
    ]);
  }

  private async becomeOnlyAgent(ending: AbortSignal): Promise<boolean> {
    const taken = this.lock.acquire((holder) => {
      this.observability.setStage("nftables", `waiting for the ${holder} to end`);
    });
    const ended = new Promise<false>((resolve) => {
      if (ending.aborted) resolve(false);
      ending.addEventListener("abort", () => resolve(false), { once: true });
    });
    return Promise.race([taken.then(() => true), ended]);
  }

  private statusOfAgent() {
    const grants = this.running?.granter.liveGrants().length ?? 0;
    return { mode: this.options.mode, grants, nftables: this.running?.nft.means ?? "not opened yet" };
  }
}

/** The stages of an agent that is alone in its network namespace and may write to nftables. */
class Running {
  readonly granter: Granter;
  readonly nft: Nft;
  private readonly options: AgentOptions;
  private readonly observability: Observability;
  private readonly links: LinkWatch;
  private readonly capture: LiveSource;
  private readonly tracker: KnockTracker;
  private readonly reconciler: Reconciler;
  private readonly keeper: ConfigKeeper;
  private readonly control: ControlServer;
  private compilation: Compilation | undefined;
  private capturing = false;

  constructor(options: AgentOptions, observability: Observability, nft: Nft, links: LinkWatch) {
    this.options = options;
    this.observability = observability;
    this.nft = nft;
    this.links = links;
    this.reconciler = this.createReconciler();
    this.granter = this.createGranter();
    this.tracker = new KnockTracker({
      maxSources: options.maxSources,
      report: observability.sequence,
      complete: (completion) => this.granter.complete(completion),
    });
    observability.trackEngine(this.tracker);
    this.capture = new LiveSource({
      interfaces: options.interfaces,
      clock: systemClock,
      report: observability.capture,
      links,
    });
    this.keeper = this.createKeeper();
    this.control = new ControlServer(options.socket, new AgentControl(this.granter, observability, systemClock));
  }

  /** The control socket first: it tells whether the path is free before anything is changed. */
  async start(): Promise<void> {
    await this.control.start();
    await this.keeper.start();
  }

  async reread(): Promise<void> {
    await this.keeper.reread();
  }

  /** Addresses of Kubernetes services may have come or gone. */
  linksChanged(): void {
    if (this.compilation === undefined) return;
    this.reconciler
      .use(this.gateSpec(this.compilation))
      .catch((error: unknown) => this.observability.gate.warned(String(error)));
  }

  async drain(): Promise<void> {
    await this.keeper.close();
    await this.capture.close();
    await this.granter.settled();
    await this.reconciler.close();
    await this.control.close();
  }

  /** One configuration into force: the kernel closes first, then knocks count, then they are captured. */
  private async apply(compilation: Compilation): Promise<void> {
    const isGuarding = compilation.guarded.length > 0;
    const lockout = defaultDropProblem(this.options, isGuarding);
    if (lockout !== undefined) throw new Error(lockout);
    const isFirst = this.compilation === undefined;
    this.compilation = compilation;
    const { policies } = compilation;
    if (isFirst) await this.reconciler.start(this.gateSpec(compilation));
    else await this.reconciler.use(this.gateSpec(compilation));
    this.observability.usePolicies(policies);
    this.granter.usePolicies(policies);
    if (isFirst) await this.granter.restore();
    this.observability.setStage("grants", undefined);
    this.tracker.usePolicies(policies);
    const watch = watchFor(policies, this.options.guardAddresses);
    if (this.capturing) await this.capture.update(watch);
    else await this.capture.start(watch, (knock) => this.tracker.observe(knock));
    this.capturing = true;
  }

  private gateSpec(compilation: Compilation) {
    return gateSpecFor(this.options, compilation, this.links.state?.exemptAddresses ?? []);
  }

  private createReconciler(): Reconciler {
    return new Reconciler({
      nft: this.nft,
      clock: systemClock,
      report: this.observability.gate,
      stateDir: this.options.stateDir,
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
      report: grants,
      neverGrants: this.options.neverGrants,
      maxGrants: this.options.maxGrants,
    });
  }

  private createKeeper(): ConfigKeeper {
    const { configs, guards, serves, allowCommands, allowCritical } = this.options;
    return new ConfigKeeper({
      sources: [new FileSource({ paths: configs, clock: systemClock })],
      compileOptions: { guards, served: serves, allowCommands, allowCritical, defaultNamespace: "default" },
      clock: systemClock,
      report: this.observability.config,
      apply: (compilation) => this.apply(compilation),
    });
  }
}
