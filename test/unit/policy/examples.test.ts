import { expect, test } from "vitest";
import { checkCommand } from "../../../src/cli/check.ts";
import { MemoryIo } from "../../fake/memory-io.ts";

test("check has nothing to say about the examples, all of them together", async () => {
  const io = new MemoryIo();
  const folder = new URL("../../../deploy/examples", import.meta.url).pathname;
  expect(await checkCommand({ paths: [folder] }, io)).toBe(0);
  expect(io.out).toBe("");
});
