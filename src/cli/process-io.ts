import type { WriteStream } from "node:tty";
import type { CommandIo, TextSink } from "./command-io.ts";

/** The world of this process. */
export function processIo(): CommandIo {
  const interruption = new AbortController();
  let listening = false;
  return {
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    env: process.env,
    get interrupted() {
      // Only who asks takes the signals over: without that they end the process as usual.
      if (!listening)
        for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interruption.abort(name));
      listening = true;
      return interruption.signal;
    },
  };
}

/** A reader that closed its end (`knockgate grants | head -1`) is not an error of ours: what cannot be written is not needed. */
function sink(stream: WriteStream): TextSink {
  let closed = false;
  stream.on("error", () => {
    closed = true;
  });
  return {
    write: (text) => {
      if (!closed) stream.write(text);
    },
    isTty: stream.isTTY === true,
  };
}
