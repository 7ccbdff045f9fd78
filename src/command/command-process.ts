import { spawn } from "node:child_process";
import type { Command } from "./command.ts";

/** How a process ended. */
export interface ProcessEnd {
  readonly exitCode: number | undefined;
  /** Why there is no exit code: a signal, or that it could not be started. */
  readonly reason: string | undefined;
  readonly output: string;
}

/** A process under way. */
export interface RunningCommand {
  /** Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  /** Kills it and whatever it has started in its group. */
  kill(): void;
}

/** Starts commands; a test gives its own. */
export type StartCommand = (command: Command) => RunningCommand;

/** The beginning of a command's output is kept; scripts that print more are cut. */
const mostOutputBytes = 4096;
/** Services often run without the sbin folders in their path, and there lie the firewall's programs. */
const searchPath = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin`;

/**
 * Starts a command in a session of its own, as knockd does, so that a signal to the agent's group does not meet it half way. What it
 * leaves in the background is not waited for.
 */
export const startCommand: StartCommand = (command) => {
  try {
    return follow(spawnCommand(command));
  } catch (error) {
    const end = { exitCode: undefined, reason: (error as Error).message, output: "" };
    return { ended: Promise.resolve(end), kill: () => {} };
  }
};

/** Throws where the arguments cannot be handed over, such as one with a NUL. */
function spawnCommand({ argv: [program, ...args], env }: Command) {
  return spawn(program, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, PATH: searchPath, ...env },
  });
}

function follow(child: ReturnType<typeof spawnCommand>): RunningCommand {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      if (output.length < mostOutputBytes) output = (output + text).slice(0, mostOutputBytes);
    });
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.on("error", (error) => resolve({ exitCode: undefined, reason: error.message, output }));
    child.on("exit", (code, signal) => {
      // What is in the pipe is read in the next turn; a process left behind may hold the pipe for ever.
      setImmediate(() =>
        setImmediate(() => {
          child.stdout.destroy();
          child.stderr.destroy();
          resolve({ exitCode: code ?? undefined, reason: signal ?? undefined, output });
        }),
      );
    });
  });
  return { ended, kill: () => killGroup(child.pid) };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
