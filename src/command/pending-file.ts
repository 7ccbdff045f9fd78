import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Address, formatAddress, parseAddress } from "../policy/address.ts";
import type { CommandLine } from "../policy/policy.ts";
import { formatPort, type Port, parsePort } from "../policy/port.ts";
import { writeStateFile } from "../state-file.ts";

/** A door that a command has opened and a command has to close. */
export interface PendingClose {
  /** `namespace/name`. */
  readonly policy: string;
  readonly source: Address;
  readonly ports: readonly Port[];
  /** As it stood in the policy when the door was opened: a policy that goes is closed all the same. */
  readonly command: CommandLine;
  /** How often it runs: once for each time that the opening command ran, for two rules take two removals. */
  readonly times: number;
  /** Microseconds since the epoch; undefined: until closed. */
  readonly dueWallMicros: number | undefined;
}

/** Where pending closes outlive the agent. */
export interface PendingKeeper {
  /** Throws what cannot be read; what is damaged is left out. */
  read(): readonly PendingClose[];
  write(pending: readonly PendingClose[]): void;
}

/** The name of the file in the state directory; mode 0600, for what stands in it is run. */
export const pendingFileName = "commands.json";

/** Pending closes as a file of the state directory. */
export class PendingFile implements PendingKeeper {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  read(): readonly PendingClose[] {
    let text: string;
    try {
      text = readFileSync(join(this.directory, pendingFileName), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
    const rows: unknown = JSON.parse(text);
    return Array.isArray(rows) ? rows.flatMap((row: unknown) => pendingOf(row) ?? []) : [];
  }

  write(pending: readonly PendingClose[]): void {
    const rows = pending.map(({ source, ports, ...rest }) => ({
      ...rest,
      source: formatAddress(source),
      ports: ports.map(formatPort),
    }));
    writeStateFile(this.directory, pendingFileName, `${JSON.stringify(rows)}\n`);
  }
}

/** Nothing is run for what is not an address. */
function pendingOf(row: unknown): PendingClose | undefined {
  const { policy, source, ports, command, times, dueWallMicros } = row as Readonly<Record<string, unknown>>;
  const address = typeof source === "string" ? parseAddress(source) : undefined;
  const isDue = dueWallMicros === undefined || typeof dueWallMicros === "number";
  if (address === undefined || typeof policy !== "string" || typeof times !== "number" || !isDue) return undefined;
  if (!isCommandLine(command) || !Array.isArray(ports)) return undefined;
  const opened = ports.flatMap((port: unknown) => parsePort(String(port)) ?? []);
  return { policy, source: address, ports: opened, command, times, dueWallMicros };
}

function isCommandLine(value: unknown): value is CommandLine {
  return typeof value === "string" || (Array.isArray(value) && value.every((part) => typeof part === "string"));
}
