import { reverse } from "node:dns/promises";
import { Writable } from "node:stream";
import { Agent } from "../agent.ts";
import { systemClock } from "../clock.ts";
import { KnockdLog } from "../observability/knockd-log.ts";
import { KnockdLogFile } from "../observability/knockd-log-file.ts";
import { type AgentOptions, readAgentOptions } from "../options.ts";
import type { CommandIo } from "./command-io.ts";
import { becomeDaemon, isDaemon, startDaemon } from "./knockd-daemon.ts";
import { type KnockdStart, linkTrouble, prepareKnockd, readKnockd } from "./knockd-start.ts";
import { programRevision, programVersion } from "./program-version.ts";

/** knockd's own options. */
export interface KnockdArguments {
  readonly interface: string | undefined;
  readonly config: string;
  readonly daemon: boolean;
  readonly pidFile: string;
  readonly logFile: string | undefined;
  readonly lookup: boolean;
  readonly verbose: boolean;
  readonly debug: boolean;
  readonly onlyIpv4: boolean;
  /** What follows an error. */
  readonly usage: string;
}

/** knockd's exit codes for the signals that end it. */
const signalCodes: Readonly<Record<string, number>> = { SIGTERM: 15, SIGINT: 2 };

/**
 * knockd's daemon in options, log lines and exit codes, for init scripts and units made for it: 1 where knockd would not start, 0
 * when the interface has disappeared, 15 after SIGTERM and 2 after SIGINT.
 */
export async function knockdCommand(args: KnockdArguments, io: CommandIo): Promise<number> {
  const start = await prepareKnockd(args);
  if ("says" in start) {
    io.stderr.write(`${start.says}\n`);
    if (start.withUsage) io.stdout.write(args.usage);
    return 1;
  }
  const reading = agentOptions(start, io.env);
  if (reading.kind === "refused") {
    for (const problem of reading.problems) io.stderr.write(`error: ${problem}\n`);
    return 1;
  }
  if (args.daemon && !isDaemon(io.env)) return startDaemon(process.argv.slice(1), (text) => io.stderr.write(text));
  return new KnockdStandIn(args, start, reading.options, io).run();
}

/** Beside knockd's own options, those of the agent come from the environment. */
function agentOptions({ conf, interface: link }: KnockdStart, env: CommandIo["env"]) {
  const given = { "knockd-conf": [conf], interface: [link], "allow-commands": true, "log-format": ["json"] } as const;
  return readAgentOptions(given, env);
}

class KnockdStandIn {
  private readonly args: KnockdArguments;
  private readonly start: KnockdStart;
  private readonly io: CommandIo;
  private readonly file: KnockdLogFile;
  private readonly log: KnockdLog;
  private readonly agent: Agent;
  private readonly disappeared: Promise<0>;

  constructor(args: KnockdArguments, start: KnockdStart, options: AgentOptions, io: CommandIo) {
    this.args = args;
    this.start = start;
    this.io = io;
    const failed = (reason: string) => io.stderr.write(`error: ${reason}\n`);
    this.file = new KnockdLogFile(() => systemClock.wallMicros(), failed);
    this.file.use({ logFile: start.logFile, useSyslog: start.settings.useSyslog });
    this.log = new KnockdLog({
      nowMicros: () => systemClock.nowMicros(),
      write: (text, spaced) => this.write(text, spaced),
      lookup: args.lookup ? cachedNames() : undefined,
      debug: args.debug ? (text) => io.stdout.write(`${text}\n`) : undefined,
    });
    let vanish = () => {};
    this.disappeared = new Promise((resolve) => {
      vanish = () => resolve(0);
    });
    this.agent = new Agent(options, {
      version: programVersion(),
      revision: programRevision(io.env),
      stdout: warningsOnly((text) => this.log.say(text)),
      knockd: {
        log: this.log,
        onlyIpv4: args.onlyIpv4,
        waitingFor: () => {
          if (linkTrouble(start.interface)?.startsWith("No such device")) vanish();
        },
      },
    });
  }

  async run(): Promise<number> {
    const { io, args, start } = this;
    if (args.debug) for (const door of start.doors) io.stdout.write(`config: ${JSON.stringify(door)}\n`);
    process.on("SIGHUP", () => void this.reread());
    let removePidFile = () => {};
    try {
      await this.agent.start(io.interrupted);
      this.file.write(`starting up, listening on ${start.interface}`, false);
      if (args.verbose) io.stdout.write(`listening on ${start.interface}...\n`);
      if (args.daemon) removePidFile = becomeDaemon(start.pidFile, (reason) => this.log.say(reason));
      return await this.untilTheEnd();
    } catch (error) {
      io.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
      return 1;
    } finally {
      await this.agent.drain();
      await this.log.drained();
      removePidFile();
      if (args.verbose) io.stdout.write("closing...\n");
      this.file.close();
      systemClock.after(1000, () => process.exit());
    }
  }

  private async untilTheEnd(): Promise<number> {
    const { interrupted, stdout, stderr } = this.io;
    const told = new Promise<number>((resolve) => {
      const end = () => resolve(signalCodes[String(interrupted.reason)] ?? 0);
      if (interrupted.aborted) end();
      interrupted.addEventListener("abort", end, { once: true });
    });
    const code = await Promise.race([told, this.disappeared]);
    if (code === 0) {
      stderr.write("pcap: The interface disappeared\n");
      return code;
    }
    this.log.say("shutting down");
    if (this.args.verbose) stdout.write("waiting for child processes...\n");
    return code;
  }

  /** A bad file is refused, where knockd would end; the interface stays as it was. */
  private async reread(): Promise<void> {
    const { conf } = this.start;
    this.log.say(`re-reading config file: ${conf}`, true);
    const read = await readKnockd(conf);
    if ("says" in read) this.log.say(`${read.says}; the configuration in force stays`);
    else this.file.use({ logFile: read.settings.logFile ?? this.args.logFile, useSyslog: read.settings.useSyslog });
    await this.agent.reread();
  }

  private write(text: string, spaced: boolean): void {
    this.file.write(text, spaced);
    if (this.args.verbose) this.io.stdout.write(`${text}\n`);
  }
}

/** Names of addresses, asked for once each; one that is not there is undefined. */
function cachedNames(): (address: string) => Promise<string | undefined> {
  const names = new Map<string, Promise<string | undefined>>();
  return (address) => {
    const known = names.get(address);
    if (known !== undefined) return known;
    if (names.size >= 10_000) names.clear();
    const late = new Promise<undefined>((resolve) => void systemClock.after(2000, () => resolve(undefined)));
    const asked = reverse(address).then(
      ([name]) => name,
      () => undefined,
    );
    const name = Promise.race([asked, late]);
    names.set(address, name);
    return name;
  };
}

/** The agent's own log, of which knockd's readers get to see what somebody has to act on. */
function warningsOnly(say: (text: string) => void): Writable {
  return new Writable({
    write(chunk: Buffer, _, done) {
      for (const line of chunk.toString().split("\n")) {
        if (line === "") continue;
        const { event, level, message, reason, audit } = JSON.parse(line) as Readonly<Record<string, unknown>>;
        // knockd had no advice to give, and what commands do is told in its own words.
        const isNews = audit !== true && event !== "policy-warning" && !String(event).startsWith("command-");
        if (isNews && (level === "warn" || level === "error"))
          say(reason === undefined ? String(message) : `${String(message)} ${String(reason)}`);
      }
      done();
    },
  });
}
