const newline = 0x0a;
/** The kernel's lines have at most 1,024 bytes, and journalctl adds its fields; nothing longer is of interest. */
const mostLineBytes = 8192;

/**
 * Cuts the bytes of a log into lines, however they come. Others write to the same log: what they write too long is skipped up to
 * its end, and no more than one line is ever kept.
 */
export class LogLines {
  readonly #line = Buffer.alloc(mostLineBytes);
  #bytes = 0;

  /** Hands over every line that ends in this chunk, without its end. */
  read(chunk: Uint8Array, take: (line: string) => void): void {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      this.#keep(chunk.subarray(from, end));
      if (this.#bytes <= mostLineBytes) take(this.#line.toString("utf8", 0, this.#bytes).replace(/\r$/, ""));
      this.#bytes = 0;
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  /** The rest of the last line will not come: the log was cut, or another one begins. */
  forget(): void {
    this.#bytes = 0;
  }

  /** Counts on past the bound, so that the line is known to be too long. */
  #keep(bytes: Uint8Array): void {
    if (this.#bytes + bytes.length <= mostLineBytes) this.#line.set(bytes, this.#bytes);
    this.#bytes = Math.min(this.#bytes + bytes.length, mostLineBytes + 1);
  }
}
