import { type DropReason, dropReasons, type Knock } from "../decode/knock.ts";
import { KnockBuffer } from "../decode/knock-buffer.ts";
import { recordBytes, recordKind, recordMark, type TrafficCounts } from "./knock-record.ts";

/** Who receives what a child has written; knocks and counts are valid until the call returns. */
export interface RecordReceiver {
  knock(knock: Knock): void;
  traffic(counts: Readonly<TrafficCounts>): void;
  discarded(reason: DropReason, count: number): void;
  ringFull(count: number): void;
  alive(checkVersion: number): void;
}

/**
 * Reads the records of one pipe, however its bytes are cut into chunks. What is not a record cannot be trusted any
 * further: `read` then says so and the child is to be replaced.
 */
export class RecordReader {
  readonly #receiver: RecordReceiver;
  readonly #knock = new KnockBuffer();
  readonly #traffic: TrafficCounts = { link: 0, packets: 0, kernelDrops: 0, interfaceDrops: 0 };
  readonly #carried = new Uint8Array(recordBytes);
  readonly #carriedView = new DataView(this.#carried.buffer);
  #carriedBytes = 0;
  #broken = false;

  constructor(receiver: RecordReceiver) {
    this.#receiver = receiver;
  }

  /** Takes the next bytes of the pipe. `garbage` when they are no records; from then on nothing is read any more. */
  read(chunk: Uint8Array): "read" | "garbage" {
    let at = this.#fillCarried(chunk);
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (; !this.#broken && at + recordBytes <= chunk.length; at += recordBytes) this.#readRecord(view, at);
    if (this.#broken) return "garbage";
    this.#carried.set(chunk.subarray(at), this.#carriedBytes);
    this.#carriedBytes += chunk.length - at;
    return "read";
  }

  /** Completes the record that the last chunk began; returns how many bytes that took. */
  #fillCarried(chunk: Uint8Array): number {
    if (this.#carriedBytes === 0) return 0;
    const wanted = Math.min(recordBytes - this.#carriedBytes, chunk.length);
    this.#carried.set(chunk.subarray(0, wanted), this.#carriedBytes);
    this.#carriedBytes += wanted;
    if (this.#carriedBytes === recordBytes) {
      this.#carriedBytes = 0;
      this.#readRecord(this.#carriedView, 0);
    }
    return wanted;
  }

  #readRecord(view: DataView, at: number): void {
    if (view.getUint16(at + 62, true) !== recordMark || view.getUint8(at + 61) !== 0) {
      this.#broken = true;
      return;
    }
    switch (view.getUint8(at + 60)) {
      case recordKind.knock:
        return this.#readKnock(view, at);
      case recordKind.traffic:
        return this.#readTraffic(view, at);
      case recordKind.losses:
        return this.#readLosses(view, at);
      case recordKind.alive:
        return this.#receiver.alive(view.getUint32(at, true));
      default:
        this.#broken = true;
    }
  }

  #readKnock(view: DataView, at: number): void {
    const knock = this.#knock;
    knock.atMicros = view.getFloat64(at, true);
    knock.stampMicros = view.getFloat64(at + 8, true);
    for (let word = 0; word < 4; word++) {
      knock.source[word] = view.getUint32(at + 16 + word * 4, true);
      knock.target[word] = view.getUint32(at + 32 + word * 4, true);
    }
    knock.port = view.getUint16(at + 48, true);
    knock.sourcePort = view.getUint16(at + 50, true);
    knock.sequenceNumber = view.getUint32(at + 52, true);
    knock.ipId = view.getUint16(at + 56, true);
    knock.protocol = view.getUint8(at + 58);
    knock.flags = view.getUint8(at + 59);
    if (Number.isFinite(knock.atMicros) && Number.isFinite(knock.stampMicros)) this.#receiver.knock(knock);
    else this.#broken = true;
  }

  #readTraffic(view: DataView, at: number): void {
    const counts = this.#traffic;
    counts.link = view.getUint32(at, true);
    counts.packets = view.getFloat64(at + 8, true);
    counts.kernelDrops = view.getFloat64(at + 16, true);
    counts.interfaceDrops = view.getFloat64(at + 24, true);
    if (isCount(counts.packets) && isCount(counts.kernelDrops) && isCount(counts.interfaceDrops))
      this.#receiver.traffic(counts);
    else this.#broken = true;
  }

  #readLosses(view: DataView, at: number): void {
    for (const [index, reason] of dropReasons.entries()) {
      const count = view.getUint32(at + index * 4, true);
      if (count > 0) this.#receiver.discarded(reason, count);
    }
    const ringFull = view.getUint32(at + 36, true);
    if (ringFull > 0) this.#receiver.ringFull(ringFull);
  }
}

/** A counter's increment: a whole number that is not negative. */
function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
