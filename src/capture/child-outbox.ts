import { writeSync } from "node:fs";
import { Socket } from "node:net";
import type { Clock, Timer } from "../clock.ts";
import { type DropReason, dropReasons } from "../decode/knock.ts";
import type { KnockBuffer } from "../decode/knock-buffer.ts";
import { type TrafficCounts, writeAlive, writeKnock, writeLosses, writeTraffic } from "./knock-record.ts";
import { type PipeWriter, RecordQueue } from "./record-queue.ts";

/** 4 MiB: at 100,000 knocks a second the agent may stand still for more than half a second. Memory is taken as it is needed. */
const queueRecords = 65_536;
/** Room that knocks leave to counts and signs of life, so that an agent that never catches up is told what it misses. */
const spareRecords = 1024;
/** When the pipe was full it is tried again after this time, or with the next batch. */
const retryMs = 2;

/** What leaves the child, in order: knocks, counts and signs of life. Everything is written without waiting. */
export class ChildOutbox {
  readonly #clock: Clock;
  readonly #queue: RecordQueue;
  readonly #discarded = new Uint32Array(dropReasons.length);
  readonly #reasonIndex: ReadonlyMap<DropReason, number> = new Map(dropReasons.map((reason, at) => [reason, at]));
  /** Knocks that found no room since this was last told. */
  #ringFull = 0;
  #retry: Timer | undefined;

  constructor(write: PipeWriter, clock: Clock) {
    this.#clock = clock;
    this.#queue = new RecordQueue(queueRecords, write);
  }

  /** Puts a knock in the queue, or counts it as lost. */
  knock(knock: KnockBuffer): void {
    const at = this.#queue.take(spareRecords);
    if (at >= 0) writeKnock(this.#queue.view, at, knock);
    else this.#ringFull++;
  }

  /** Counts a packet that yields none. */
  discarded(reason: DropReason): void {
    const index = this.#reasonIndex.get(reason) ?? 0;
    this.#discarded[index] = (this.#discarded[index] ?? 0) + 1;
  }

  /** A sign of life; also the answer to a new check. */
  alive(version: number): void {
    const at = this.#queue.take();
    if (at >= 0) writeAlive(this.#queue.view, at, version);
  }

  /** What the taps have counted, and what was lost; a count that finds no room is added to the next one. */
  counts(taps: readonly { takeCounts(): TrafficCounts }[]): void {
    for (const tap of taps) {
      const at = this.#queue.take();
      if (at < 0) return;
      writeTraffic(this.#queue.view, at, tap.takeCounts());
    }
    const at = this.#queue.take();
    if (at < 0) return;
    writeLosses(this.#queue.view, at, this.#discarded, this.#ringFull);
    this.#discarded.fill(0);
    this.#ringFull = 0;
  }

  /** How many records wait. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  /** Writes what the pipe takes, and the rest as soon as it does. */
  flush(): void {
    if (this.#queue.flush() || this.#retry !== undefined) return;
    this.#retry = this.#clock.after(retryMs, () => {
      this.#retry = undefined;
      this.flush();
    });
  }
}

/**
 * Writes to a pipe that belongs to nobody's event loop: libpcap's dispatch does not come back while packets come in, and
 * what is written through a stream would wait for it. The socket object only makes the descriptor non-blocking. When nobody
 * reads any more the process ends.
 */
export function pipeWriter(descriptor: number): PipeWriter {
  new Socket({ fd: descriptor, readable: false, writable: true }).on("error", () => process.exit(0)).unref();
  return (bytes) => {
    try {
      return writeSync(descriptor, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
      process.exit(0); // the agent is gone, and this was its child
    }
  };
}
