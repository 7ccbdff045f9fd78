import type { Writable } from "node:stream";
import type { CommandIo, TextSink } from "./command-io.ts";

/** The world of this process. */
export function processIo(): CommandIo {
  const interruption = new AbortController();
  let listening = false;
  return {
    stdout: outputSink(process.stdout, outputFailed),
    stderr: outputSink(process.stderr, () => {}),
    env: process.env,
    get interrupted() {
      // Only who asks takes the signals over: without that they end the process as usual.
      if (!listening)
        for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interruption.abort(name));
      listening = true;
      return interruption.signal;
    },
    get inputEnded() {
      const ended = new AbortController();
      for (const name of ["end", "close", "error"]) process.stdin.once(name, () => ended.abort());
      process.stdin.resume();
      return ended.signal;
    },
  };
}

/** Whoever reads half of a file (`knockgate convert … > FILE` on a full disk) must not take it for the whole. */
function outputFailed(reason: string): void {
  process.stderr.write(
    `error: Standard output cannot be written to the end (${reason}): make room, or write elsewhere.\n`,
  );
  process.once("exit", () => {
    process.exitCode ||= 1;
  });
}

/**
 * A reader that closed its end (`knockgate grants | head -1`) is not an error of ours: what cannot be written is not needed. Of
 * every other error `failed` is told once, unless nothing was written here.
 */
export function outputSink(
  stream: Writable & { readonly isTTY?: boolean },
  failed: (reason: string) => void,
): TextSink {
  let closed = false;
  let isUsed = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (isUsed && !closed && error.code !== "EPIPE") failed(error.code ?? error.message);
    closed = true;
  });
  return {
    write: (text) => {
      isUsed = true;
      if (!closed) stream.write(text);
    },
    isTty: stream.isTTY === true,
  };
}
