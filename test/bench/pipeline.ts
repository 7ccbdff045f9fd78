import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { RecordReader } from "../../src/capture/record-reader.ts";
import { decodeFrame } from "../../src/decode/decode.ts";
import type { Frame } from "../../src/decode/frame.ts";
import { KnockBuffer } from "../../src/decode/knock-buffer.ts";
import { programPath } from "../netns/host.ts";
import { wireFrame } from "../netns/wire-frame.ts";

/** What one stage alone takes: records or packets a second of processor time. */
export interface StageFigure {
  readonly stage: string;
  readonly perSecond: number;
}

const ends = { from: "02:77:00:00:00:01", to: "02:77:00:00:00:02" };

/** Frames of a TCP knock, a UDP knock and an IPv6 knock in turn, decoded again and again. */
export function decodeAlone(packets: number): StageFigure {
  const four = { source: "10.1.2.3", target: "10.77.0.1", port: 7000 } as const;
  const six = { source: "fd77::9", target: "fd77::1", port: 8000 } as const;
  const frames = [
    { ...four, protocol: "tcp" as const },
    { ...four, protocol: "udp" as const },
    { ...six, protocol: "tcp" as const },
  ].map((packet): Frame => {
    return { bytes: Uint8Array.from(wireFrame(packet, ends)), stampMicros: 0, linkType: "ethernet", interface: "eth0" };
  });
  const knock = new KnockBuffer();
  let decoded = 0;
  const began = process.cpuUsage();
  for (let at = 0; at < packets; at++) if (decodeFrame(frames[at % 3] as Frame, knock) === undefined) decoded++;
  const { user, system } = process.cpuUsage(began);
  if (decoded !== packets) throw new Error(`only ${decoded} of ${packets} frames gave a knock`);
  return { stage: "decode alone", perSecond: Math.round(packets / ((user + system) / 1e6)) };
}

/** Records written by another process and read here, processor time of both. Rejects when one is missing. */
export async function pipeAlone(records: number): Promise<StageFigure> {
  let read = 0;
  const none = () => undefined;
  const reader = new RecordReader({ knock: () => read++, traffic: none, discarded: none, ringFull: none, alive: none });
  const began = process.cpuUsage();
  const writer = spawn(process.execPath, [programPath("../bench/record-writer.mjs"), String(records)], {
    stdio: ["ignore", "pipe", "inherit", "pipe"],
  });
  let said = "";
  writer.stdout?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const pipe = writer.stdio[3] as Readable;
  pipe.on("data", (chunk: Buffer) => reader.read(chunk));
  await Promise.all([once(writer, "close"), once(pipe, "end")]);
  const { user, system } = process.cpuUsage(began);
  if (read < records) throw new Error(`${read} of ${records} records came out of the pipe`);
  const seconds = (user + system) / 1e6 + (JSON.parse(said) as { cpuSeconds: number }).cpuSeconds;
  return { stage: "pipe alone, both ends", perSecond: Math.round(read / seconds) };
}
