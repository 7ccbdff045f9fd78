import { once } from "node:events";
import { createReadStream, type ReadStream } from "node:fs";
import type { Readable } from "node:stream";
import type { Frame } from "../decode/frame.ts";
import { CaptureError } from "./capture-error.ts";
import { SavefileReader } from "./savefile-reader.ts";

/** Opens a capture file; rejects with a CaptureError `savefile-unreadable`. */
export async function openSavefile(path: string): Promise<ReadStream> {
  const stream = createReadStream(path);
  try {
    await once(stream, "ready");
  } catch (error) {
    throw new CaptureError("savefile-unreadable", (error as Error).message, { cause: error });
  }
  return stream;
}

/** How reading ended; `cut`: inside a packet, as in the file of a tcpdump that was killed. */
export type SavefileEnd = "whole" | "cut" | "stopped";

/**
 * Hands over every frame of a capture, as fast as `receive` takes them; `name` becomes the frames' interface. Resolves at
 * the end, or when the stream was destroyed (`stopped`); rejects with a CaptureError where it cannot be read or is no capture.
 */
export async function readSavefile(
  stream: Readable,
  name: string,
  receive: (frame: Frame) => void,
): Promise<SavefileEnd> {
  const reader = new SavefileReader(name);
  try {
    for await (const chunk of stream) reader.read(chunk as Buffer, receive);
  } catch (error) {
    if (error instanceof CaptureError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ERR_STREAM_PREMATURE_CLOSE") return "stopped"; // closed by its owner
    throw new CaptureError("savefile-unreadable", (error as Error).message, { cause: error });
  }
  if (!reader.begun) throw new CaptureError("savefile-format", "it is shorter than a header");
  return reader.cut ? "cut" : "whole";
}

/** What to tell of a capture that was cut off. */
export function cutSentence(name: string): string {
  return `${name} ends inside a packet: whatever wrote it was cut off, and later packets are missing.`;
}
