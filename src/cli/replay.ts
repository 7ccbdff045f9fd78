import type { CaptureReport } from "../capture/packet-source.ts";
import { SavefileSource } from "../capture/savefile-source.ts";
import { watchFor } from "../capture-watch.ts";
import { readAllFiles } from "../config-source/config-files.ts";
import { type Cidr, contains, formatAddress } from "../policy/address.ts";
import { compile } from "../policy/compile.ts";
import type { Policy } from "../policy/policy.ts";
import { KnockTracker } from "../sequence/knock-tracker.ts";
import type { Completion } from "../sequence/outcome.ts";
import type { CommandIo, ExitCode, OutputFormat, ReplayArguments } from "./command-io.ts";
import { formatTable } from "./table.ts";

/** What to replay, with the policies read. */
export interface Replay {
  readonly file: string;
  readonly policies: readonly Policy[];
  /** Which destinations count. */
  readonly local: readonly Cidr[] | "everything";
  readonly output: OutputFormat;
}

/** As the agent's default. */
const maxSources = 1_000_000;

/** How many packets lie between two signs of life, and how many rows are kept before they are printed. */
const packetsPerSign = 100_000;
const rowsPerTable = 1000;

/**
 * Tells who would have been let in by the packets of a capture. Policies that are rejected are named on stderr and left out;
 * 1 when a file cannot be read or no policy is left.
 */
export async function replayCommand(args: ReplayArguments, io: CommandIo): Promise<ExitCode> {
  const snapshot = await readAllFiles(args);
  // Nothing is run or opened here, so that no policy is refused for what it would run or open.
  const options = { guards: [], served: [], allowCommands: true, allowCritical: true, defaultNamespace: "default" };
  const { policies, problems } = compile(snapshot.documents, options);
  for (const failure of snapshot.failures) io.stderr.write(`error: ${failure}\n`);
  for (const { severity, place, field, message } of problems) {
    if (severity === "error") io.stderr.write(`${place.origin}:${place.line ?? 1}: ${field}: ${message}\n`);
  }
  if (snapshot.failures.length > 0) return 1;
  if (policies.length === 0) {
    io.stderr.write(
      `error: ${[...args.configs, ...args.knockdConfs].join(" ")} has no policy to follow: see knockgate check.\n`,
    );
    return 1;
  }
  const local = args.locals.map((address) => ({ address, prefixBits: 128 }));
  return replay({ ...args, policies, local: local.length === 0 ? "everything" : local }, io);
}

/** Follows the packets of the file through the policies and prints who opened what, as it goes. */
export async function replay(what: Replay, io: CommandIo): Promise<ExitCode> {
  const progress = new Progress(io);
  const admitted = new AdmittedList(what.output, io, progress);
  const tracker = new KnockTracker({
    maxSources,
    report: { outcome: () => {}, evicted: () => {} },
    complete: (completion) => admitted.add(completion),
    isLocal: (target) => what.local === "everything" || what.local.some((range) => contains(range, target)),
  });
  tracker.usePolicies(what.policies);
  const source = new SavefileSource(what.file, progress.report);
  await source.start(watchFor(what.policies, what.local), (knock) => tracker.observe(knock));
  const stop = () => void source.close();
  io.interrupted.addEventListener("abort", stop);
  try {
    await source.finished;
  } finally {
    io.interrupted.removeEventListener("abort", stop);
    progress.clear();
    admitted.flush();
  }
  if (io.interrupted.aborted) io.stderr.write(`Stopped after ${progress.packets} packets.\n`);
  else if (admitted.count === 0) io.stderr.write(`Nobody would have been let in by ${progress.packets} packets.\n`);
  return io.interrupted.aborted ? 1 : 0;
}

/** Shows a person how many packets were read. */
class Progress {
  readonly #io: CommandIo;
  packets = 0;
  readonly report: CaptureReport = {
    packets: (_, count) => this.#count(count),
    dropped: () => {},
    discarded: () => {},
    restarted: () => {},
    capturing: () => {},
    library: () => {},
    warned: (message) => this.#io.stderr.write(`${message}\n`),
  };

  constructor(io: CommandIo) {
    this.#io = io;
  }

  /** Makes room for a line of its own. */
  clear(): void {
    if (this.#io.stderr.isTty && this.packets >= packetsPerSign) this.#io.stderr.write("\r\u001b[K");
  }

  #count(count: number): void {
    this.packets += count;
    if (this.#io.stderr.isTty && this.packets % packetsPerSign === 0) {
      this.#io.stderr.write(`\r\u001b[K${this.packets / 1000} thousand packets read`);
    }
  }
}

/** Prints who was let in: each at once as JSON, or in tables for people. */
class AdmittedList {
  readonly #output: OutputFormat;
  readonly #io: CommandIo;
  readonly #progress: Progress;
  readonly #rows: string[][] = [];
  count = 0;

  constructor(output: OutputFormat, io: CommandIo, progress: Progress) {
    this.#output = output;
    this.#io = io;
    this.#progress = progress;
  }

  add(completion: Completion): void {
    if (completion.action === "close") return;
    this.count++;
    const at = isoTime(completion.atMicros);
    const source = formatAddress(completion.source);
    const sequence = completion.policy.name;
    if (this.#output === "json") {
      if (this.#io.stdout.isTty) this.#progress.clear();
      this.#io.stdout.write(`${JSON.stringify({ at, source, sequence })}\n`);
      return;
    }
    this.#rows.push([at, source, sequence]);
    if (this.#rows.length === rowsPerTable) this.flush();
  }

  flush(): void {
    const rows = this.#rows.splice(0);
    if (rows.length === 0) return;
    this.#progress.clear();
    this.#io.stdout.write(formatTable(["AT", "SOURCE", "SEQUENCE"], rows));
  }
}

/** ISO 8601 with microseconds, in UTC. */
function isoTime(atMicros: number): string {
  const micros = String(atMicros % 1000).padStart(3, "0");
  return new Date(Math.floor(atMicros / 1000)).toISOString().replace("Z", `${micros}Z`);
}
