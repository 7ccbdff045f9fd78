import { Agent } from "../agent.ts";
import { systemClock } from "../clock.ts";
import type { AgentOptions } from "../options.ts";
import type { CommandIo, ExitCode } from "./command-io.ts";
import { programRevision, programVersion } from "./program-version.ts";

/**
 * Runs the gateway until SIGTERM or SIGINT; SIGHUP reads the configuration again. A second signal to end ends it at once, which
 * costs nothing but a last transaction: the table stays.
 */
export async function agentCommand(options: AgentOptions, io: CommandIo): Promise<ExitCode> {
  const { interrupted } = io;
  const agent = new Agent(options, {
    version: programVersion(),
    revision: programRevision(io.env),
    stdout: process.stdout,
  });
  process.on("SIGHUP", () => void agent.reread());
  process.on("SIGUSR1", () => undefined); // else Node opens its debugger on loopback, to every user of the host
  try {
    await agent.start(interrupted);
    await new Promise<void>((resolve) => {
      if (interrupted.aborted) resolve();
      interrupted.addEventListener("abort", () => resolve(), { once: true });
    });
    return 0;
  } catch (error) {
    io.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await agent.drain();
    systemClock.after(1000, () => process.exit()); // a log reader that never reads would hold the process for ever
  }
}
