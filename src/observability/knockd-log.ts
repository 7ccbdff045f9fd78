import type { Command } from "../command/command.ts";
import { commandText } from "../command/command.ts";
import type { CommandEnd, CommandReport } from "../command/command-report.ts";
import type { Knock } from "../decode/knock.ts";
import { type Address, formatAddress } from "../policy/address.ts";
import type { Policy, Sequence } from "../policy/policy.ts";
import type { OutcomeKind, SequenceReport } from "../sequence/outcome.ts";

/** What a line of knockd's log is made from and where it goes. */
export interface KnockdLogOptions {
  readonly nowMicros: () => number;
  /** Takes one line; `spaced`: knockd leaves an empty line behind it in its file. */
  readonly write: (text: string, spaced: boolean) => void;
  /** With `-l`: the name of an address, or undefined. Lines wait for it, in order. */
  readonly lookup?: ((address: string) => Promise<string | undefined>) | undefined;
  /** With `-D`: takes a line for each packet. It holds steps. */
  readonly debug?: ((text: string) => void) | undefined;
}

/** How many attempts are remembered for the line that says where they stopped. */
const mostAttempts = 10_000;
/** Stages and timeouts told a second: forged first steps must not fill a disk, nor keep the agent busy with writing. */
const mostStagesPerSecond = 1000;

/** The log lines of knockd 0.8, for scripts and detection rules that read them. Doors are called as the knockd.conf calls them. */
export class KnockdLog implements CommandReport, Pick<SequenceReport, "outcome"> {
  private readonly options: KnockdLogOptions;
  /** By policy id and by policy name. */
  private doors: ReadonlyMap<string, string> = new Map();
  private readonly stages = new Map<string, number>();
  private lines: Promise<void> = Promise.resolve();
  private second = 0;
  private toldInSecond = 0;

  constructor(options: KnockdLogOptions) {
    this.options = options;
  }

  /** Takes the doors now in force; those before keep their names until the next change but one. */
  usePolicies(policies: readonly Policy[]): void {
    const named = policies.flatMap(({ id, name, knockd }) =>
      knockd === undefined ? [] : [{ id, name, door: knockd.door }],
    );
    this.doors = new Map(named.flatMap(({ id, name, door }) => [[id, door] as const, [name, door] as const]));
  }

  outcome(kind: OutcomeKind, sequence: Sequence, step: number, knock: Knock): void {
    const door = this.doors.get(sequence.policy);
    if (door === undefined) return;
    this.options.debug?.(packetText(kind, door, knock));
    const key = `${knock.source.join(".")} ${sequence.policy}`;
    const before = this.stages.get(key);
    if (kind === "ignored" || kind === "repeated") return;
    if (kind === "expired" && before !== undefined && this.mayTell())
      this.tell(knock.source, (source) => `${source}: ${door}: sequence timeout (stage ${before})`, true);
    this.stages.delete(key);
    if (step > 0 && this.mayTell()) this.tell(knock.source, (source) => `${source}: ${door}: Stage ${step}`);
    if (kind === "completed") this.tell(knock.source, (source) => `${source}: ${door}: OPEN SESAME`);
    else if (step > 0) this.remember(key, step);
  }

  started(command: Command): void {
    const door = this.doors.get(command.policy) ?? command.policy;
    if (command.moment === "closed") this.tell(command.source, (source) => `${source}: ${door}: command timeout`);
    this.say(`${door}: running command: ${commandText(command)}`, true);
  }

  ended({ command, exitCode, reason, result }: CommandEnd): void {
    const door = this.doors.get(command.policy) ?? command.policy;
    if (result === "failed" && exitCode !== undefined)
      this.say(`${door}: command returned non-zero status code (${exitCode})`);
    else if (result !== "done") this.say(`${door}: command failed: ${reason}`);
  }

  warned(message: string): void {
    this.say(message);
  }

  /** Writes a line after those that wait for a name. */
  say(text: string, spaced = false): void {
    const { lookup, write } = this.options;
    if (lookup === undefined) write(text, spaced);
    else this.lines = this.lines.then(() => write(text, spaced));
  }

  /** Resolves when every line is written. */
  async drained(): Promise<void> {
    await this.lines;
  }

  private tell(source: Address, text: (source: string) => string, spaced = false): void {
    const { lookup, write } = this.options;
    const address = formatAddress(source);
    if (lookup === undefined) {
      write(text(address), spaced);
      return;
    }
    const asked = lookup(address);
    this.lines = this.lines.then(async () => {
      const name = await asked;
      write(text(name === undefined ? address : `${address} (${name})`), spaced);
    });
  }

  /** Whether there is room in this second for another line; how many had none is told in the next one that has lines. */
  private mayTell(): boolean {
    const second = Math.floor(this.options.nowMicros() / 1e6);
    if (second !== this.second) {
      const left = this.toldInSecond - mostStagesPerSecond;
      this.second = second;
      this.toldInSecond = 0;
      if (left > 0) this.say(`${left} stages and timeouts were left out`);
    }
    return this.toldInSecond++ < mostStagesPerSecond;
  }

  private remember(key: string, stage: number): void {
    this.stages.set(key, stage);
    const [oldest] = this.stages.keys();
    if (this.stages.size > mostAttempts && oldest !== undefined) this.stages.delete(oldest);
  }
}

function packetText(kind: OutcomeKind, door: string, knock: Knock): string {
  const protocol = knock.protocol === 6 ? `tcp flags 0x${knock.flags.toString(16).padStart(2, "0")}` : "udp";
  const ends = `${formatAddress(knock.source)}:${knock.sourcePort} -> ${formatAddress(knock.target)}:${knock.port}`;
  return `packet ${ends} ${protocol}: ${door}: ${kind}`;
}
