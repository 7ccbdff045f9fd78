import { spawn } from "node:child_process";
import { constants } from "node:os";

/** Runs a command with this process's own standard streams, to its end. Resolves to its exit code, 128 and more for a signal as in a shell. */
export type RunCommand = (command: string, env: Readonly<Record<string, string>>) => Promise<number>;

/** Signals that are meant for the command and reach only this process. */
const passedOn = ["SIGHUP", "SIGTERM"] as const;

/**
 * Runs a command by `/bin/sh -c`. ssh ends its ProxyCommand by SIGHUP, which is handed on; SIGINT comes from the terminal, which
 * gives it to the command too, so that here it only must not end the parent first.
 */
export const runCommand: RunCommand = (command, env) => {
  const child = spawn("/bin/sh", ["-c", command], { stdio: "inherit", env: { ...process.env, ...env } });
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  const wait = () => undefined;
  for (const signal of passedOn) process.on(signal, pass);
  process.on("SIGINT", wait);
  return new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
  }).finally(() => {
    for (const signal of passedOn) process.off(signal, pass);
    process.off("SIGINT", wait);
  });
};
