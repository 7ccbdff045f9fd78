import { listSniffers, type Sniffer } from "../sniffers/sniffer-list.ts";
import type { CommandIo, ExitCode, OutputFormat } from "./command-io.ts";
import { formatTable } from "./table.ts";

const head = ["VERDICT", "SOCKET", "PID", "UID", "SINCE", "PROGRAM", "WHAT"] as const;

/** Lists who may see packets past their own ports; 1 when one of them is not known. */
export async function huntSockets(output: OutputFormat, io: CommandIo): Promise<ExitCode> {
  const sniffers = await listSniffers();
  if (output === "json") for (const sniffer of sniffers) io.stdout.write(`${JSON.stringify(record(sniffer))}\n`);
  else if (sniffers.length > 0) {
    io.stdout.write(formatTable(head, sniffers.map(cells)));
    for (const { socket, filter } of sniffers)
      if (filter !== undefined) io.stdout.write(`\nfilter of socket ${socket.inode}:\n${filter.join("\n")}\n`);
  }
  if (sniffers.length === 0) io.stderr.write("No process of this network namespace holds a raw or packet socket.\n");
  return sniffers.some(({ known }) => known === undefined) ? 1 : 0;
}

function record({ socket, holder, known, filter }: Sniffer) {
  const { pid, uid, executable, command } = holder ?? {};
  const since = holder === undefined ? undefined : isoTime(holder.startedSeconds);
  return { known: known !== undefined, why: known, ...socket, pid, uid, since, executable, command, filter };
}

function cells({ socket, holder, known, filter }: Sniffer): readonly string[] {
  const what = `${known ?? "not known: look at it"}${filter === undefined ? "" : `; filter of ${filter.length} instructions`}`;
  const name = `${socket.kind} ${socket.protocol} (${socket.inode})`;
  if (holder === undefined) return ["look", name, "-", "-", "-", "-", "no process that can be seen from here holds it"];
  const program = holder.executable === "" ? holder.command.join(" ") : holder.executable;
  const verdict = known === undefined ? "look" : "known";
  return [verdict, name, String(holder.pid), String(holder.uid), isoTime(holder.startedSeconds), program, what];
}

function isoTime(seconds: number): string {
  return new Date(Math.round(seconds) * 1000).toISOString().replace(".000Z", "Z");
}
