import { type ExecFileException, execFile } from "node:child_process";
import { readFileSync } from "node:fs";

/** What a program answered. `status` is undefined where it is missing, crashed, took too long or printed too much. */
export interface Answer {
  readonly status: number | undefined;
  readonly stdout: string;
  /** The first line of what it complained about, or why there is no answer. */
  readonly complaint: string;
}

/** Asks a program; never rejects. Tests put a script in its place. */
export type AskProgram = (program: string, args: readonly string[], input?: string) => Promise<Answer>;

const longestMs = 5000;
const mostBytes = 32 * 1024 * 1024;
const searchPath = `${process.env.PATH ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`;

/** In a process of its own, so that a crash of it is an answer too; bounded in time and output. */
export const askProgram: AskProgram = (program, args, input = "") =>
  new Promise((resolve) => {
    const options = {
      timeout: longestMs,
      killSignal: "SIGKILL",
      maxBuffer: mostBytes,
      env: { PATH: searchPath, LC_ALL: "C" },
    } as const;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const said = stderr.trim().split("\n", 1)[0] ?? "";
      if (error === null) return resolve({ status: 0, stdout, complaint: said });
      const status = typeof error.code === "number" ? error.code : undefined;
      resolve({ status, stdout, complaint: said || reasonOf(program, error) });
    });
    child.stdin?.on("error", () => undefined); // it ended before it read all; its status says why
    child.stdin?.end(input);
  });

function reasonOf(program: string, error: ExecFileException): string {
  if (error.code === "ENOENT") return `there is no program ${program}`;
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return `${program} printed too much`;
  if (error.killed === true) return `${program} gave no answer in time`;
  return typeof error.signal === "string" ? `${program} was ended by ${error.signal}` : `${program} failed`;
}

/** A file's text without blanks at its ends; undefined where it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined; // for a doctor that is an answer
  }
}
