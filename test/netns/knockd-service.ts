import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "./host.ts";
import type { RunningProcess } from "./running-process.ts";
import type { World } from "./world.ts";

/** One section of a knockd.conf: its name and its lines, `key = value`. */
export interface KnockdDoor {
  readonly name: string;
  /** Such as `7000:udp,8000,9000`. */
  readonly sequence: string;
  readonly seqTimeout?: number;
  readonly tcpFlags?: string;
  /** Run by knockd with `%IP%` replaced. */
  readonly command: string;
}

let services = 0;

/** Starts the real knockd on a host's `eth0`; resolves when it captures. It ends with the world. */
export async function startKnockd(world: World, host: Host, doors: readonly KnockdDoor[]): Promise<RunningProcess> {
  const file = join(world.folder, `knockd-${services++}.conf`);
  writeFileSync(file, configuration(file, doors));
  const knockd = host.start("knockd", ["-c", file, "-i", host.link, "-v", "-p", `${file}.pid`]);
  await knockd.waitForLine("listening on");
  return knockd;
}

function configuration(file: string, doors: readonly KnockdDoor[]): string {
  const sections = doors.map((door) =>
    [
      `[${door.name}]`,
      `sequence = ${door.sequence}`,
      `seq_timeout = ${door.seqTimeout ?? 15}`,
      ...(door.tcpFlags === undefined ? [] : [`tcpflags = ${door.tcpFlags}`]),
      `command = ${door.command}`,
    ].join("\n"),
  );
  return [`[options]\nlogfile = ${file}.log`, ...sections, ""].join("\n\n");
}
