import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";

/** Set in the environment of the process that stays in the background. */
const childVariable = "KNOCKGATE_KNOCKD_CHILD";

/** Whether this process is the one in the background. */
export function isDaemon(env: Readonly<Record<string, string | undefined>>): boolean {
  return env[childVariable] !== undefined;
}

/**
 * Starts the same command in a session of its own, in the same folder (relative paths of a configuration still mean the same when
 * it is read again; in knockd, which goes to `/`, they do not), and resolves to the exit code for this one: 0 as soon as the other
 * listens, so that whoever has called finds the pid file; else what the other has ended with.
 */
export function startDaemon(argv: readonly string[], say: (text: string) => void): Promise<number> {
  const [program = "", ...rest] = argv;
  const child = spawn(process.execPath, [program, ...rest], {
    detached: true,
    env: { ...process.env, [childVariable]: "1" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  child.stderr?.setEncoding("utf8").on("data", say);
  return new Promise((resolve) => {
    child.on("error", () => resolve(1));
    child.on("exit", (code) => resolve(code ?? 1));
    child.on("message", () => {
      child.stderr?.destroy();
      child.disconnect();
      child.unref();
      resolve(0);
    });
  });
}

/** In the background: writes the pid file and lets the starter go. Returns what removes the file. */
export function becomeDaemon(pidFile: string, failed: (reason: string) => void): () => void {
  try {
    writeFileSync(pidFile, `${process.pid}\n`);
  } catch (error) {
    failed((error as Error).message);
  }
  process.send?.("listening");
  if (process.connected) process.disconnect();
  return () => rmSync(pidFile, { force: true });
}
