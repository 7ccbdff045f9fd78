const newline = 0x0a;

/** Cuts the bytes of a pipe into lines of UTF-8, however they come, and keeps no more than one line of bounded length. */
export class LineReader {
  readonly #mostBytes: number;
  #begun: Uint8Array[] = [];
  #begunBytes = 0;

  /** `mostBytes`: the longest line that is read. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** The lines that end in this chunk; undefined when one is too long. Whoever wrote it is not to be read any further. */
  read(chunk: Uint8Array): readonly string[] | undefined {
    const lines: string[] = [];
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      if (!this.#keep(chunk.subarray(from, end))) return undefined;
      lines.push(this.#take());
      from = end + 1;
    }
    return this.#keep(chunk.subarray(from)) ? lines : undefined;
  }

  #keep(bytes: Uint8Array): boolean {
    if (this.#begunBytes + bytes.length > this.#mostBytes) return false;
    if (bytes.length > 0) this.#begun.push(Uint8Array.from(bytes));
    this.#begunBytes += bytes.length;
    return true;
  }

  #take(): string {
    const line = Buffer.concat(this.#begun).toString("utf8");
    this.#begun = [];
    this.#begunBytes = 0;
    return line;
  }
}
