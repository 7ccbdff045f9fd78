import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import type { Clock, Timer } from "../clock.ts";
import { type AgentMessage, type ChildMessage, cut } from "./child-messages.ts";
import { MessageReader } from "./message-reader.ts";
import type { RestartCause } from "./packet-source.ts";
import { endAtOnce, startCaptureChild } from "./process-starter.ts";
import { RecordReader, type RecordReceiver } from "./record-reader.ts";

/** A running child gives a sign of life every second by itself; without one for so long it is asked for one. */
const quietMs = 1050;
/** How often an answer is looked for that was asked for. */
const tickMs = 250;
/** So many looks without the sign or the answer, the first one included that asks, and the child hangs. */
const silentTicks = 2;
const unansweredTicks = 5;
/** Before it is ready a child may be busy starting, on a machine that is busy itself. */
const ticksAtStart = 48;
/** Signals that a process brings upon itself (signal(7)); any other was sent by somebody. */
const faultSignals: ReadonlySet<NodeJS.Signals> = new Set([
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGILL",
  "SIGSEGV",
  "SIGSYS",
  "SIGTRAP",
]);
/** A child that was told to finish has this long to hand over what it holds. */
const finishMs = 1000;

/** What a capture process tells beside its records. Nothing is told after `ended`. */
export interface CaptureProcessEvents {
  readonly records: Omit<RecordReceiver, "alive">;
  ready(message: Extract<ChildMessage, { kind: "ready" }>): void;
  /** The check of this version is in force. */
  checked(version: number): void;
  /** The child must be replaced; it may still deliver until then. */
  faulty(cause: RestartCause, message: string): void;
  /** The process is gone and its records are read. */
  ended(cause: RestartCause, message: string): void;
}

/** Starts the child; a test gives its own. */
export interface ChildStarter {
  start(): ChildProcess;
  endAtOnce(pid: number): void;
}

/** The real child, compiled beside this file unless told otherwise. */
export function childStarter(path: string): ChildStarter {
  return { start: () => startCaptureChild(path), endAtOnce };
}

/**
 * One capture child as the agent sees it: what it is told, what it tells, and whether it lives. That an answer is missing
 * is counted in ticks and not in time, so that an agent that stood still itself, and finds all signs of life waiting,
 * accuses nobody. While all is well there is one tick a second.
 */
export class CaptureProcess {
  readonly startedMicros: number;
  readonly #clock: Clock;
  readonly #events: CaptureProcessEvents;
  readonly #starter: ChildStarter;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  #ready = false;
  #heardMicros: number;
  #silent = 0;
  #unanswered = 0;
  #sentVersion: number;
  #answeredVersion = -1;
  #cause: RestartCause | undefined;
  #said = "";
  #timer: Timer | undefined;
  #finishing: Timer | undefined;

  constructor(
    clock: Clock,
    starter: ChildStarter,
    open: Extract<AgentMessage, { kind: "open" }>,
    events: CaptureProcessEvents,
  ) {
    this.#clock = clock;
    this.#events = events;
    this.#starter = starter;
    this.startedMicros = this.#heardMicros = clock.nowMicros();
    this.#sentVersion = open.check.version;
    this.#child = starter.start();
    this.#gone = new Promise((resolve) => this.#child.once("close", () => resolve()));
    this.#listen();
    this.#tell(open);
    this.#timer = clock.after(tickMs, () => this.#tick());
  }

  /** Replaces what user space checks. */
  check(check: Extract<AgentMessage, { kind: "check" }>["check"]): void {
    this.#sentVersion = check.version;
    this.#unanswered = 0;
    this.#tell({ kind: "check", check });
  }

  /** Lets the child hand over what it holds, and ends it. Resolves when it is gone. */
  finish(): Promise<void> {
    this.#tell({ kind: "finish" });
    this.#finishing ??= this.#clock.after(finishMs, () => this.kill());
    return this.#gone;
  }

  /** Ends the child at once. */
  kill(): void {
    const { pid } = this.#child;
    if (pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null)
      this.#starter.endAtOnce(pid);
  }

  #tell(message: AgentMessage): void {
    if (this.#child.stdin?.writable === true) this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #listen(): void {
    const reader = new RecordReader({ ...this.#bound(), alive: (version) => this.#alive(version) });
    const records = this.#child.stdio[3] as Readable;
    records.on("data", (chunk: Buffer) => {
      this.#heardMicros = this.#clock.nowMicros();
      if (reader.read(chunk) === "garbage") this.#fail("error", "The capture child wrote something that is no record.");
    });
    const messages = new MessageReader((message) => this.#hear(message));
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      if (messages.read(chunk) === "garbage")
        this.#fail("error", "The capture child said something that cannot be understood.");
    });
    for (const stream of this.#child.stdio) stream?.on("error", () => undefined); // the process's end is told by its exit
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#said = cut(this.#said + chunk.toString("latin1"));
    });
    this.#child.on("error", (error) => this.#end("crash", error.message));
    this.#child.once("close", (code, signal) => this.#closed(code, signal));
  }

  #bound(): Omit<RecordReceiver, "alive"> {
    const { records } = this.#events;
    return {
      knock: (knock) => records.knock(knock),
      traffic: (counts) => records.traffic(counts),
      discarded: (reason, count) => records.discarded(reason, count),
      ringFull: (count) => records.ringFull(count),
    };
  }

  #hear(message: ChildMessage): void {
    if (message.kind === "fault") {
      this.#cause = message.cause;
      this.#said = message.message;
      this.#events.faulty(message.cause, message.message);
    } else {
      this.#ready = true;
      this.#events.ready(message);
    }
  }

  #alive(version: number): void {
    if (version === this.#answeredVersion) return;
    this.#answeredVersion = version;
    this.#events.checked(version);
  }

  #tick(): void {
    const quietMicros = this.#clock.nowMicros() - this.#heardMicros;
    this.#silent = quietMicros >= quietMs * 1000 || !this.#ready ? this.#silent + 1 : 0;
    this.#unanswered = this.#answeredVersion === this.#sentVersion ? 0 : this.#unanswered + 1;
    if (this.#silent > (this.#ready ? silentTicks : ticksAtStart))
      return this.#fail("hung", "The capture child gave no sign of life.");
    if (this.#unanswered > (this.#ready ? unansweredTicks : ticksAtStart))
      return this.#fail("hung", "The capture child is too busy to listen.");
    if (this.#ready && this.#silent === 1) this.#tell({ kind: "answer" });
    const isWaiting = this.#silent + this.#unanswered > 0;
    const delayMs = isWaiting ? tickMs : Math.max(tickMs, quietMs - quietMicros / 1000);
    this.#timer = this.#clock.after(delayMs, () => this.#tick());
  }

  #fail(cause: RestartCause, message: string): void {
    this.#cause ??= cause;
    this.#said = message;
    this.kill();
  }

  #closed(code: number | null, signal: NodeJS.Signals | null): void {
    const cause = signal === null || faultSignals.has(signal) ? "crash" : "killed";
    const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    this.#end(this.#cause ?? cause, `The capture child ${how}. ${this.#said}`.trim());
  }

  #end(cause: RestartCause, message: string): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#finishing?.cancel();
    this.#events.ended(cause, message);
  }
}
