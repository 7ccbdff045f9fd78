import type { Writable } from "node:stream";
import { AgentStages } from "./agent-stages.ts";
import { LinkWatch } from "./capture/link-watch.ts";
import { systemClock } from "./clock.ts";
import { InstanceLock } from "./instance-lock.ts";
import { KubernetesStages } from "./kubernetes-stages.ts";
import { nftVersion } from "./nftables/nft-version.ts";
import { openNftPatiently } from "./nftables/open-nft.ts";
import { createHttpServer, listen } from "./observability/http-server.ts";
import type { KnockdLog } from "./observability/knockd-log.ts";
import { Observability } from "./observability/observability.ts";
import type { AgentOptions } from "./options.ts";

/** What an agent is given beside its options. */
export interface AgentSurroundings {
  readonly version: string;
  readonly revision: string;
  /** Where the log goes. */
  readonly stdout: Writable;
  /** Set where the agent stands in for knockd. */
  readonly knockd?: KnockdSurroundings | undefined;
}

/** What an agent that stands in for knockd does beside its work. */
export interface KnockdSurroundings {
  /** Is told what knockd logs. */
  readonly log: KnockdLog;
  /** Doors without an IPv6 target count IPv4 only (`-4`). */
  readonly onlyIpv4: boolean;
  /** Called when an interface that was asked for is not there. */
  readonly waitingFor: () => void;
}

/**
 * The gateway: builds each stage once, starts them left to right as the flow needs them (the kernel closes before anybody
 * can knock), and drains them right to left. Everything that a stage tells goes to observability; nothing comes back.
 */
export class Agent {
  private readonly options: AgentOptions;
  private readonly knockd: KnockdSurroundings | undefined;
  private readonly observability: Observability;
  private readonly http;
  private readonly lock: InstanceLock;
  private readonly links: LinkWatch;
  private readonly started: (() => Promise<void> | void)[] = [];
  private stages: AgentStages | undefined;

  constructor(options: AgentOptions, surroundings: AgentSurroundings) {
    this.options = options;
    const { version, revision, stdout, knockd } = surroundings;
    this.knockd = knockd;
    const build = { version, revision, nodeVersion: process.version, libpcapVersion: "unknown", nftVersion: "unknown" };
    const { logLevel, logFormat } = options;
    this.observability = new Observability({ clock: systemClock, build, logLevel, logFormat, stdout, knockd });
    this.lock = new InstanceLock({
      clock: systemClock,
      warned: (message) => this.observability.log("agent-warned", message),
    });
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
    this.started.push(() => this.http.close());
    const isTaken = await this.listenUnlessTaken();
    const nft = await openNftPatiently({
      clock: systemClock,
      ending,
      warned: (message) => observability.gate.warned(message),
      failed: (reason) => observability.gate.intact(`nftables cannot be used: ${reason}; it is tried again`),
    });
    if (nft === undefined) return;
    this.started.push(() => nft.close());
    observability.knownBuild({ nftVersion: await nftVersion() });
    await this.links.start(() => this.stages?.linksChanged());
    this.started.push(() => this.links.close());
    // Nothing is written so far: an agent that waits is as far as it can be when the other one ends.
    if (!(await this.becomeOnlyAgent(ending))) return;
    if (isTaken) await listen(this.http, options.listen);
    const warned = (message: string) => observability.log("kubernetes-warned", message);
    const report = observability.kubernetes;
    const kubernetes = await KubernetesStages.open(options, { clock: systemClock, report, warned });
    const onlyIpv4 = this.knockd?.onlyIpv4 ?? false;
    this.stages = new AgentStages(options, observability, { nft, links: this.links, kubernetes, onlyIpv4 });
    this.started.push(() => this.stages?.drain());
    await this.stages.start();
  }

  /** Reads the configuration again (SIGHUP). */
  async reread(): Promise<void> {
    await this.stages?.reread();
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

  /** Whether somebody has the HTTP port. Where that is another agent it is free when that one has ended. */
  private async listenUnlessTaken(): Promise<boolean> {
    try {
      await listen(this.http, this.options.listen);
      return false;
    } catch (error) {
      if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code !== "EADDRINUSE") throw error;
      return true;
    }
  }

  private async becomeOnlyAgent(ending: AbortSignal): Promise<boolean> {
    const taken = this.lock.acquire((holder) => {
      const { observability } = this;
      if (!observability.setStage("nftables", `waiting for the ${holder} to end`)) return;
      observability.log(
        "agent-waiting",
        `Another agent guards this network namespace: waiting for the ${holder} to end.`,
      );
    });
    const ended = new Promise<false>((resolve) => {
      if (ending.aborted) resolve(false);
      ending.addEventListener("abort", () => resolve(false), { once: true });
    });
    return Promise.race([taken.then(() => true), ended]);
  }

  private statusOfAgent() {
    const { mode } = this.options;
    return this.stages?.status ?? ({ mode, confirmation: "not-asked", grants: 0, nftables: "not opened yet" } as const);
  }
}
