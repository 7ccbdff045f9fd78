import { execFile } from "node:child_process";

/** How a program ended. `status` is undefined where it could not be started or had to be ended. */
export interface ProgramResult {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** `missing`: there is no such program; `timed-out`: it was ended after the time allowed. */
  readonly failure?: "missing" | "timed-out" | "other" | undefined;
}

/** Runs a program to its end with this input on stdin. Never rejects. Tests put a script in its place. */
export type RunProgram = (program: string, args: readonly string[], input: string) => Promise<ProgramResult>;

/** How long a program may take. */
const longestMs = 20_000;

/** A listing of 65,536 elements is about 5 MB. */
const longestOutputBytes = 256 * 1024 * 1024;

/** The one place of this stage where processes begin: no shell, the C locale so that messages can be told apart, killed after 20 s. */
export const runProgram: RunProgram = (program, args, input) =>
  new Promise((resolve) => {
    const options = {
      timeout: longestMs,
      killSignal: "SIGKILL",
      maxBuffer: longestOutputBytes,
      env: { ...process.env, LC_ALL: "C" },
    } as const;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ status: 0, stdout, stderr });
      else if (typeof error.code === "number") resolve({ status: error.code, stdout, stderr });
      else resolve({ status: undefined, stdout, stderr: stderr || error.message, failure: failureOf(error) });
    });
    child.stdin?.on("error", () => undefined); // it ended before it read all; its status says why
    child.stdin?.end(input);
  });

function failureOf(error: {
  readonly code?: string | number | null | undefined;
  readonly killed?: boolean | undefined;
}): "missing" | "timed-out" | "other" {
  if (error.code === "ENOENT") return "missing";
  return error.killed === true ? "timed-out" : "other";
}
