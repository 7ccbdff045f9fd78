import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { WatchArguments } from "../../../src/cli/command-io.ts";
import { watchCommand } from "../../../src/cli/watch.ts";
import type { ControlTarget } from "../../../src/control/control-api.ts";
import { ControlServer } from "../../../src/control/control-server.ts";
import { MemoryIo } from "../../fake/memory-io.ts";

const time = "2026-01-02T03:04:05Z";
const step = { time, kind: "advanced", source: "203.0.113.7", policy: "bastion/ssh", step: 1, steps: 3 };
let folder: string;
let server: ControlServer;
let show: ((event: object) => void) | undefined;
let io: MemoryIo;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kg-watch-"));
  io = new MemoryIo();
  const target: Partial<ControlTarget> = {
    watch: (_source, shown) => {
      show = shown;
      const stop = () => {
        show = undefined;
      };
      return { first: { time, kind: "watching", policies: ["bastion/ssh"] }, stop };
    },
  };
  server = new ControlServer(join(folder, "agent.sock"), target as ControlTarget);
  await server.start();
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

function watch(more: Partial<WatchArguments> = {}): Promise<number> {
  const socket = join(folder, "agent.sock");
  return watchCommand({ source: undefined, socket, output: "table", forMs: undefined, untilEof: false, ...more }, io);
}

/** Resolves when the watcher is there, and has been shown one step. */
async function shown(): Promise<void> {
  await expect.poll(() => show).toBeDefined();
  show?.(step);
  await expect.poll(() => io.out).toContain("advanced");
}

test("a person is shown what happens, a line each", async () => {
  const done = watch();
  await shown();
  io.interrupt();
  expect(await done).toBe(0);
  expect(io.out).toBe(`${time}\t203.0.113.7\tbastion/ssh\tadvanced\t1/3\tright step\n`);
});

test("a program is told first what is watched, until its end of the line is gone", async () => {
  const done = watch({ output: "json", untilEof: true });
  await shown();
  io.endInput();
  expect(await done).toBe(0);
  const lines = io.out.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line).kind)).toEqual(["watching", "advanced"]);
  await expect.poll(() => show).toBeUndefined();
});

test("it is an error when the agent goes away", async () => {
  const done = watch();
  await shown();
  const failed = expect(done).rejects.toThrow();
  await server.close();
  await failed;
});
