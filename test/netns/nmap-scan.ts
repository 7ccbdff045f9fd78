import type { Host } from "./host.ts";

/** What nmap says of each port it found worth a line, and of the rest together. */
export interface ScanReport {
  /** By `22/tcp`: `open`, `closed`, `filtered`, `open|filtered`. */
  readonly states: ReadonlyMap<string, string>;
  /** Such as `closed (998)`; empty when every port has a line. */
  readonly others: string;
  readonly stdout: string;
}

/** How long a scan may take. */
export interface ScanOptions {
  /** Default 300,000. */
  readonly timeoutMs?: number;
}

/**
 * Runs a real nmap from a host. `-n -Pn` are always given: no names, and no pings before.
 *
 *     Host: 10.77.0.1 ()	Ports: 22/open/tcp//ssh///, 80/closed/tcp//http///	Ignored State: filtered (998)
 */
export async function nmapScan(
  from: Host,
  address: string,
  args: readonly string[],
  options: ScanOptions = {},
): Promise<ScanReport> {
  const family = address.includes(":") ? ["-6"] : [];
  const all = ["-n", "-Pn", ...family, ...args, "-oG", "-", address];
  const stdout = await from.expect("nmap", all, { timeoutMs: options.timeoutMs ?? 300_000 });
  const states = new Map<string, string>();
  for (const [, port, state, protocol] of stdout.matchAll(/(\d+)\/([a-z|]+)\/(tcp|udp)\//g)) {
    states.set(`${port}/${protocol}`, state ?? "");
  }
  return { states, others: /Ignored State: ([^\t\n]*)/.exec(stdout)?.[1]?.trim() ?? "", stdout };
}
