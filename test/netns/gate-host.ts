import { spawnSync } from "node:child_process";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { ChangeResult, Grant } from "../../src/grant/grant.ts";
import { parseConnections } from "../../src/nftables/connection-adoption.ts";
import { SocketCutter } from "../../src/nftables/connection-cutter.ts";
import type { GateReport } from "../../src/nftables/gate-report.ts";
import type { Nft } from "../../src/nftables/nft.ts";
import { openNftCommand } from "../../src/nftables/nft-command.ts";
import type { RunProgram } from "../../src/nftables/program.ts";
import { Reconciler } from "../../src/nftables/reconciler.ts";
import type { GateSpec } from "../../src/nftables/ruleset.ts";
import { address, port } from "../fixture/ruleset-spec.ts";
import type { Host } from "./host.ts";

/** A gate with nothing guarded; tests say what differs. */
export const emptySpec: GateSpec = {
  mode: "enforce",
  guarded: [],
  cutting: [],
  trusted: [],
  external: [],
  exempt: [],
  served: [],
  defaultDrop: false,
  closedAs: "silent",
  maxGrants: 100,
};

/** The real gate and reconciler of this process, working in the namespace of a host through the program nft there. */
export class GateHost {
  readonly reconciler: Reconciler;
  readonly nft: Nft;
  readonly drifts: string[] = [];
  readonly revoked: Grant[] = [];
  /** What the ledger would hold. */
  live: Grant[] = [];
  intact: string | undefined = "not started";
  private readonly host: Host;
  private readonly cutter: SocketCutter;

  private constructor(host: Host, nft: Nft, run: RunProgram, clock: Clock, stateDir: string | undefined) {
    this.host = host;
    this.nft = nft;
    this.cutter = new SocketCutter((message) => this.drifts.push(message), run);
    this.reconciler = new Reconciler({
      nft,
      clock,
      report: this.report(),
      stateDir,
      liveGrants: () => this.live,
      acceptRevocation: (missing) => {
        this.revoked.push(...missing);
        this.live = this.live.filter((grant) => !missing.includes(grant));
      },
      connections: () => this.connections(),
    });
  }

  /** Opens nftables in the namespace; loads nothing yet. */
  static async open(host: Host, options: { clock?: Clock; stateDir?: string } = {}): Promise<GateHost> {
    const run: RunProgram = async (program, args, input) => {
      const { code, stdout, stderr } = await host.run(program, args, { input });
      return { status: code ?? undefined, stdout, stderr };
    };
    let reads = 0; // as if others changed something all the time: the table is compared every second
    const nft = await openNftCommand(run, () => ({ read: () => reads++, close: () => undefined }));
    return new GateHost(host, nft, run, options.clock ?? systemClock, options.stateDir);
  }

  /** Opens a port for a source, for so long or until closed. */
  async grant(source: string, portText: string, seconds?: number): Promise<ChangeResult | undefined> {
    const deadlineMicros = seconds === undefined ? undefined : systemClock.nowMicros() + seconds * 1e6;
    const grant: Grant = { source: address(source), port: port(portText), policies: ["0123abcd"], deadlineMicros };
    const [result] = await this.reconciler.gate.commit([{ kind: "open", grant }]);
    if (result?.kind === "done") this.live.push(grant);
    return result;
  }

  /** Closes a port for a source; with `cut` its connections end. */
  async close(source: string, portText: string, cut = false): Promise<void> {
    const [where, what] = [address(source), port(portText)];
    this.live = this.live.filter((grant) => grant.source.join() !== where.join() || grant.port.port !== what.port);
    await this.reconciler.gate.commit([{ kind: "close", source: where, port: what }]);
    if (cut) await this.cutter.cut(where, what);
  }

  /** Stops looking after the table, and leaves it. */
  async leave(): Promise<void> {
    await this.reconciler.close();
    this.nft.close();
  }

  private connections() {
    const args = ["netns", "exec", this.host.namespace, "cat", "/proc/net/tcp", "/proc/net/tcp6"];
    return parseConnections(spawnSync("ip", args, { encoding: "latin1" }).stdout);
  }

  private report(): GateReport {
    return {
      transaction: () => undefined,
      synced: () => undefined,
      drift: (differences) => this.drifts.push(...differences),
      intact: (reason) => {
        this.intact = reason;
      },
      kept: (reason) => reason !== undefined && this.drifts.push(reason),
      warned: (message) => this.drifts.push(message),
    };
  }
}
