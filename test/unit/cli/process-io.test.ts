import { Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { outputSink } from "../../../src/cli/process-io.ts";

/** What is said of a stream whose every write fails with this code. */
async function saidOf(code: string, texts: readonly string[]): Promise<readonly string[]> {
  const said: string[] = [];
  const stream = new Writable({ write: (_, __, done) => done(Object.assign(new Error(code), { code })) });
  const sink = outputSink(stream, (reason) => said.push(reason));
  for (const text of texts) sink.write(text);
  await setImmediate();
  sink.write("late");
  await setImmediate();
  return said;
}

test.each([
  { name: "a reader that has gone away is no fault", code: "EPIPE", said: [] },
  { name: "a full disk is told once", code: "ENOSPC", said: ["ENOSPC"] },
])("$name", async ({ code, said }) => {
  expect(await saidOf(code, ["a", "b"])).toEqual(said);
});
