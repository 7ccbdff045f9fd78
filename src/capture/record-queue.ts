import { recordBytes } from "./knock-record.ts";

/** Puts bytes into a pipe that does not block: how many it took, 0 when it is full. */
export type PipeWriter = (bytes: Uint8Array) => number;

/**
 * The child's bounded queue of records before its pipe. When the agent does not keep up there is no room for later ones:
 * knocks are lost, memory is not.
 */
export class RecordQueue {
  readonly view: DataView;
  readonly #bytes: Uint8Array;
  readonly #write: PipeWriter;
  /** Bytes taken by the pipe and put in since the queue was last empty; their distance is what waits. */
  #taken = 0;
  #put = 0;

  /** `capacity` in records. */
  constructor(capacity: number, write: PipeWriter) {
    this.#bytes = new Uint8Array(capacity * recordBytes);
    this.view = new DataView(this.#bytes.buffer);
    this.#write = write;
  }

  /** Where in `view` the next record goes, or -1 when there is no room for it and for so many others. */
  take(spare = 0): number {
    if (this.#put - this.#taken > this.#bytes.length - (1 + spare) * recordBytes) return -1;
    const at = this.#put % this.#bytes.length;
    this.#put += recordBytes;
    return at;
  }

  /** Records that wait, a half-written one included. */
  get waiting(): number {
    return Math.ceil((this.#put - this.#taken) / recordBytes);
  }

  /** Hands to the pipe what it takes. Returns whether the queue is empty now; it then begins anew in memory that is warm. */
  flush(): boolean {
    while (this.#taken < this.#put) {
      const from = this.#taken % this.#bytes.length;
      const length = Math.min(this.#put - this.#taken, this.#bytes.length - from);
      const written = this.#write(this.#bytes.subarray(from, from + length));
      if (written === 0) return false;
      this.#taken += written;
    }
    this.#taken = this.#put = 0;
    return true;
  }
}
