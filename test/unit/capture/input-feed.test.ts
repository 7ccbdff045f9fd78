import { once } from "node:events";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { InputFeed } from "../../../src/capture/input-feed.ts";

test("a log on standard input is read until it ends, which is told", async () => {
  const input = new PassThrough();
  const told: string[] = [];
  const feed = new InputFeed(input);
  await feed.start({
    bytes: (chunk) => told.push(Buffer.from(chunk).toString()),
    broken: () => told.push("|"),
    state: (trouble) => told.push(`(${trouble ?? "reads"})`),
    restarted: (cause) => told.push(`<${cause}>`),
  });
  const ended = once(input, "end");
  input.end("line\n");
  await ended;
  expect(told).toEqual(["(reads)", "line\n", "(standard input has ended: start the agent again)"]);
  await feed.close();
});
