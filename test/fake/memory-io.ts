import type { CommandIo, TextSink } from "../../src/cli/command-io.ts";

/** A world for commands that keeps what they write. */
export class MemoryIo implements CommandIo {
  out = "";
  err = "";
  readonly env: Record<string, string | undefined>;
  readonly stdout: TextSink = {
    isTty: false,
    write: (text) => {
      this.out += text;
    },
  };
  readonly stderr: TextSink = {
    isTty: false,
    write: (text) => {
      this.err += text;
    },
  };
  private readonly interruption = new AbortController();
  private readonly input = new AbortController();

  constructor(env: Record<string, string | undefined> = {}) {
    this.env = env;
  }

  get interrupted(): AbortSignal {
    return this.interruption.signal;
  }

  get inputEnded(): AbortSignal {
    return this.input.signal;
  }

  /** Whoever has called is gone. */
  endInput(): void {
    this.input.abort();
  }

  /** What Ctrl-C does. */
  interrupt(): void {
    this.interruption.abort();
  }
}
