import { basename } from "node:path";
import { CaptureError } from "../capture/capture-error.ts";
import { cutSentence, openSavefile, readSavefile } from "../capture/savefile-stream.ts";
import { decodePacket } from "../decode/decode.ts";
import { KnockBuffer } from "../decode/knock-buffer.ts";
import { Hunter } from "../hunt/hunter.ts";
import type { CommandIo, ExitCode, HuntArguments } from "./command-io.ts";
import { printFindings } from "./hunt-findings.ts";
import { huntLive } from "./hunt-live.ts";
import { huntSockets } from "./hunt-sockets.ts";

/** Looks for knocks where it was told to; 1 when something was found, 2 when nothing could be read. */
export async function huntCommand(args: HuntArguments, io: CommandIo): Promise<ExitCode> {
  if (args.sockets) return huntSockets(args.output, io);
  const hunter = new Hunter(args);
  if (args.file === undefined) return huntLive(hunter, args, io);
  try {
    const packets = await huntFile(hunter, args.file, io);
    return report(hunter, packets, args, io);
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    io.stderr.write(`error: ${error.message}\n`);
    return 2;
  }
}

/** Resolves to the number of packets read, at the end of the capture or when interrupted. */
async function huntFile(hunter: Hunter, file: string, io: CommandIo): Promise<number> {
  const stream = file === "-" ? process.stdin : await openSavefile(file);
  const stop = () => void stream.destroy();
  io.interrupted.addEventListener("abort", stop);
  const packet = new KnockBuffer();
  let packets = 0;
  try {
    const end = await readSavefile(stream, basename(file), (frame) => {
      packets++;
      if (decodePacket(frame, packet) === undefined) hunter.observe(packet);
    });
    if (end === "cut") io.stderr.write(`${cutSentence(basename(file))}\n`);
    return packets;
  } finally {
    io.interrupted.removeEventListener("abort", stop);
  }
}

function report(hunter: Hunter, packets: number, { output }: HuntArguments, io: CommandIo): ExitCode {
  const findings = hunter.findings();
  printFindings(findings, output, io);
  if (hunter.forgotten > 0)
    io.stderr.write(
      `More hosts than fit in memory: ${hunter.forgotten} pairs of hosts were forgotten before the end. Split the capture with editcap or tcpdump -C.\n`,
    );
  if (findings.length === 0) io.stderr.write(`Nothing found in ${packets} packets.\n`);
  return findings.length === 0 ? 0 : 1;
}
