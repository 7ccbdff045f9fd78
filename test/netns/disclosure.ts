import type { AgentProcess } from "./agent-process.ts";
import type { Host } from "./host.ts";

/**
 * What an agent has told that it must not: a step's port in its log, metrics, health or status, or a source's address in
 * anything but its log. Empty when all is well. Numbers that are measured (values of metrics) do not count.
 */
export async function disclosures(
  agent: AgentProcess,
  steps: readonly string[],
  sources: readonly Host[],
): Promise<readonly string[]> {
  const pages = await Promise.all(["/metrics", "/statusz", "/readyz"].map((path) => agent.http(path)));
  const shown = pages
    .flatMap(({ body }) => body.split("\n"))
    .map((line) => line.replace(/^(knockgate_\S+|[a-z_]+) \S+$/, "$1"));
  const ports = new RegExp(`\\b(${steps.map((step) => step.split("/")[0]).join("|")})\\b`);
  const addresses = sources.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
  return [
    ...agent.process.lines.filter((line) => ports.test(withoutTime(line))),
    ...shown.filter((line) => ports.test(line) || addresses.some((address) => line.includes(address))),
  ];
}

/** Fractions of a second are chance. */
function withoutTime(line: string): string {
  return line.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "");
}
