import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SavefileReader } from "../../src/capture/savefile-reader.ts";
import type { Frame } from "../../src/decode/frame.ts";

/** The frames of a savefile of test/fixture; it is looked for from the checkout, where every npm script runs. */
export function capturedFrames(name: string): readonly Pick<Frame, "bytes" | "linkType">[] {
  const frames: Pick<Frame, "bytes" | "linkType">[] = [];
  const keep = ({ bytes, linkType }: Frame) => frames.push({ bytes: Uint8Array.from(bytes), linkType });
  new SavefileReader(name).read(readFileSync(join("test/fixture", name)), keep);
  return frames;
}
