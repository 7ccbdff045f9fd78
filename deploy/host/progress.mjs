// What a person sees while something takes long: what is being done, for how long, and what went wrong.
import { spawn } from "node:child_process";

/** Where the set-up cannot go on: one sentence that says what is missing and what to do. */
export class CannotGoOn extends Error {}

/** Ends the program with the sentence when it is one of ours; anything else is a defect and is shown whole. */
export function giveUp(error) {
  console.error(error instanceof CannotGoOn ? `\nknockgate: ${error.message}` : error);
  process.exit(1);
}

/**
 * Runs a program that takes long, showing what it is for and the seconds that pass. Its output is shown only when it
 * fails. Resolves to whether it ended well, and what it printed.
 */
export function longRun(what, command, args, options = {}) {
  return new Promise((resolve) => {
    const beganAt = performance.now();
    const seconds = () => `${Math.round((performance.now() - beganAt) / 1000)} s`;
    const everyMs = process.stdout.isTTY ? 1000 : 10_000;
    const show = () =>
      process.stdout.write(process.stdout.isTTY ? `\r${what} ... ${seconds()} ` : `  ... ${seconds()}\n`);
    process.stdout.write(process.stdout.isTTY ? `${what} ...` : `${what} ...\n`);
    const timer = setInterval(show, everyMs);
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output = (output + text).slice(-20_000);
      });
    }
    const settle = (isDone, word) => {
      clearInterval(timer);
      process.stdout.write(
        process.stdout.isTTY ? `\r${what}: ${word} after ${seconds()}\n` : `  ${word} after ${seconds()}\n`,
      );
      resolve({ isDone, output });
    };
    child.on("error", (error) => {
      output += error.message;
      settle(false, "failed");
    });
    child.on("close", (code) => settle(code === 0, code === 0 ? "done" : "failed"));
  });
}

/** The last lines of a program's output, for the sentence that says why it failed. */
export function lastLines(output, count = 8) {
  return output.trim().split("\n").slice(-count).join("\n");
}
