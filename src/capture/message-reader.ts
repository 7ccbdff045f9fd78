import { LineReader } from "../line-reader.ts";
import { type ChildMessage, parseChildMessage } from "./child-messages.ts";

/** Longer than what a child with the most taps has to say. */
const mostMessageBytes = 1 << 20;

/**
 * Reads what a capture child says, a line of JSON a message. The child may have been taken over by a stranger's packet,
 * so Node's own channel between processes is not used: it throws at whoever listens, on one line that is not JSON or names one
 * of its internal commands, and keeps a line without an end for ever (seen with Node 20.20).
 */
export class MessageReader {
  readonly #receive: (message: ChildMessage) => void;
  readonly #lines = new LineReader(mostMessageBytes);
  #broken = false;

  constructor(receive: (message: ChildMessage) => void) {
    this.#receive = receive;
  }

  /** Takes the next bytes. `garbage` when they are no message; from then on nothing is read any more. */
  read(chunk: Uint8Array): "read" | "garbage" {
    const lines = this.#broken ? undefined : this.#lines.read(chunk);
    this.#broken = lines === undefined || !lines.every((line) => this.#hear(line));
    return this.#broken ? "garbage" : "read";
  }

  #hear(line: string): boolean {
    const message = parseChildMessage(parseJson(line));
    if (message !== undefined) this.#receive(message);
    return message !== undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no message, and told as such
  }
}
