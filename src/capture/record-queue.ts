import { recordBytes } from "./knock-record.ts";

/** Puts bytes into a pipe that does not block: how many it took, 0 when it is full. */
export type PipeWriter = (bytes: Uint8Array) => number;

/**
 * The child's bounded queue of records before its pipe. What finds no room is dropped and counted: when the agent does
 * not keep up, later knocks are lost and memory is not.
 */
export class RecordQueue {
  readonly view: DataView;
  readonly #bytes: Uint8Array;
  readonly #write: PipeWriter;
  /** Bytes ever taken by the pipe, and ever put in; their distance is what waits. */
  #taken = 0;
  #put = 0;
  #lost = 0;

  /** `capacity` in records. */
  constructor(capacity: number, write: PipeWriter) {
    this.#bytes = new Uint8Array(capacity * recordBytes);
    this.view = new DataView(this.#bytes.buffer);
    this.#write = write;
  }

  /** Where in `view` the next record goes, or -1 when there is no room; the loss is then counted. */
  take(): number {
    if (this.#put - this.#taken > this.#bytes.length - recordBytes) {
      this.#lost++;
      return -1;
    }
    const at = this.#put % this.#bytes.length;
    this.#put += recordBytes;
    return at;
  }

  /** Records that wait, a half-written one included. */
  get waiting(): number {
    return Math.ceil((this.#put - this.#taken) / recordBytes);
  }

  /** How many records found no room since this was last asked. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** Hands to the pipe what it takes. Returns whether the queue is empty now. */
  flush(): boolean {
    while (this.#taken < this.#put) {
      const from = this.#taken % this.#bytes.length;
      const length = Math.min(this.#put - this.#taken, this.#bytes.length - from);
      const written = this.#write(this.#bytes.subarray(from, from + length));
      if (written === 0) return false;
      this.#taken += written;
    }
    return true;
  }
}
