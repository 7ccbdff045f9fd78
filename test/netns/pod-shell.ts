import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ScriptedExec } from "../fake/scripted-pods.ts";
import type { AgentProcess } from "./agent-process.ts";
import type { Host } from "./host.ts";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/**
 * Runs what the API was asked to run in an agent's container, in the agent's network namespace, as a kubelet does: standard input
 * ends with the connection, and nobody kills anything. Resolves to the exit code.
 */
export async function runInPod(exec: ScriptedExec, host: Host, agent: AgentProcess): Promise<number | null> {
  const [name, ...args] = exec.url.searchParams.getAll("command");
  if (name !== "knockgate") throw new Error(`asked to run ${name}`);
  const own = [process.execPath, program, ...args, "--socket", join(agent.folder, "agent.sock")];
  const child = spawn("ip", ["netns", "exec", host.namespace, ...own]);
  child.stdout.on("data", (text) => exec.says(text));
  child.stderr.on("data", (text) => exec.says(text, 2));
  void exec.closed.then(() => child.stdin.end());
  const [code] = await once(child, "close");
  exec.ends(code ?? 1);
  return code;
}
