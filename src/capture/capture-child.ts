import { systemClock } from "../clock.ts";
import { decodeFrame } from "../decode/decode.ts";
import type { Frame } from "../decode/frame.ts";
import { KnockBuffer } from "../decode/knock-buffer.ts";
import { LineReader } from "../line-reader.ts";
import { type AgentMessage, type CheckMessage, type ChildMessage, checkOf, type TapMessage } from "./child-messages.ts";
import { ChildOutbox, pipeWriter } from "./child-outbox.ts";
import { LiveTap } from "./live-tap.ts";
import { libpcapVersion } from "./pcap-session.ts";
import { giveUpRoot } from "./root-privilege.ts";
import { StampClock } from "./stamp-clock.ts";
import type { WatchCheck } from "./watch-check.ts";

/**
 * The capture child: a process of its own, since libpcap's dispatch never yields under a flood, goes deaf with its link and
 * leaks when closed, and since what strangers send should be read by somebody who is nobody. It opens its taps once, gives
 * up root, decodes, and writes records to descriptor 3 until it is told to finish or the agent is gone. It is never
 * changed but replaced, except for what user space checks.
 *
 * While packets pour in, messages are not read: nothing returns to the event loop. Records and signs of life are therefore
 * written from within the packet handler, and an agent that gets no answer replaces the child.
 */

const recordsDescriptor = 3;
/** Counts, and with them a sign of life, are told so often. */
const countsMs = 1000;
/** Every port of both protocols and a million local addresses need less. */
const mostMessageBytes = 64 << 20;
/** Within a flood, records are written and the clock is read once for so many packets. */
const batchPackets = 64;

class CaptureChild {
  readonly #outbox = new ChildOutbox(pipeWriter(recordsDescriptor), systemClock);
  readonly #stamps = new StampClock(systemClock);
  readonly #knock = new KnockBuffer();
  #taps: LiveTap[] = [];
  #check: WatchCheck | undefined;
  #version = 0;
  #packets = 0;
  #countsMicros = Number.NEGATIVE_INFINITY;
  #faulty = false;

  /** Carries out one message of the agent. */
  take(message: AgentMessage): void {
    switch (message.kind) {
      case "open":
        return this.#open(message.taps, message.check);
      case "check":
        return this.#use(message.check);
      case "answer":
        return this.#answer();
      case "finish":
        return this.#finish();
      default:
        message satisfies never;
    }
  }

  #open(taps: readonly TapMessage[], check: CheckMessage): void {
    const failed: string[] = [];
    this.#use(check);
    for (const [link, { name, filter }] of taps.entries()) {
      try {
        this.#taps.push(
          new LiveTap(name, link, filter, {
            frame: this.#frame,
            drained: () => this.#outbox.flush(),
            deaf: (text) => this.#fault("link", text),
          }),
        );
      } catch (error) {
        failed.push(`Cannot capture on ${name}: ${reasonOf(error as Error)}.`);
      }
    }
    const kept = giveUpRoot();
    if (this.#taps.length === 0) return this.#fault("error", failed.join(" "));
    tell({ kind: "ready", opened: this.#taps.map((tap) => tap.name), failed, kept, libpcap: libpcapVersion() });
    this.#tick();
  }

  #use(check: CheckMessage): void {
    this.#check = checkOf(check);
    this.#version = check.version;
    this.#answer();
  }

  #answer(): void {
    this.#outbox.alive(this.#version);
    this.#outbox.flush();
  }

  readonly #frame = (frame: Frame): void => {
    const dropped = decodeFrame(frame, this.#knock) ?? this.#check?.verdict(this.#knock);
    if (dropped === undefined) {
      this.#knock.atMicros = this.#stamps.monotonic(this.#knock.stampMicros);
      this.#outbox.knock(this.#knock);
    } else this.#outbox.discarded(dropped);
    if (++this.#packets % batchPackets === 0) this.#report();
  };

  /** What is due: clocks, signs of life, counts. Called by the timer, and by the packets of a flood. */
  #report(): void {
    const now = systemClock.nowMicros();
    this.#stamps.refresh(now);
    if (now - this.#countsMicros >= countsMs * 1000) {
      this.#countsMicros = now;
      this.#outbox.alive(this.#version);
      this.#outbox.counts(this.#taps);
    }
    this.#outbox.flush();
  }

  #tick(): void {
    for (const tap of this.#taps) tap.look();
    this.#countsMicros = Number.NEGATIVE_INFINITY;
    this.#report();
    systemClock.after(countsMs, () => this.#tick());
  }

  /** The agent replaces a child that has told a fault; until then it serves on. */
  #fault(cause: "link" | "error", message: string): void {
    if (!this.#faulty) tell({ kind: "fault", cause, message });
    this.#faulty = true;
  }

  /** Hands over what the taps still hold. The agent ends a child that cannot get rid of it. */
  #finish(): void {
    for (const tap of this.#taps) tap.look();
    this.#outbox.counts(this.#taps);
    const leave = () => {
      this.#outbox.flush();
      if (this.#outbox.waiting === 0) process.exit(0);
      systemClock.after(1, leave);
    };
    leave();
  }
}

/** libpcap's words, and where the kernel refuses a packet socket (packet(7)) what is missing. */
function reasonOf({ message }: Error): string {
  return /not permitted/.test(message) ? `${message}: give it the capability NET_RAW, or run it as root` : message;
}

function tell(message: ChildMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

// The agent decides when the capture ends, also when a signal goes to all of its group. At SIGUSR1 Node would open its debugger.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"] as const) process.on(signal, () => undefined);
const child = new CaptureChild();
const lines = new LineReader(mostMessageBytes);
process.stdin.on("data", (chunk: Buffer) => {
  for (const line of lines.read(chunk) ?? process.exit(1)) child.take(JSON.parse(line) as AgentMessage);
});
for (const end of ["end", "error"] as const) process.stdin.on(end, () => process.exit(0)); // the agent is gone
process.stdout.on("error", () => process.exit(0));
