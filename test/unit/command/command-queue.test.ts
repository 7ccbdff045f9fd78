import { expect, test } from "vitest";
import type { Command } from "../../../src/command/command.ts";
import { type ProcessEnd, startCommand } from "../../../src/command/command-process.ts";
import { CommandQueue } from "../../../src/command/command-queue.ts";
import type { CommandEnd } from "../../../src/command/command-report.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

const shell = (text: string): Command => ({
  policy: "a/b",
  moment: "opened",
  source: Uint32Array.of(0, 0, 0xffff, 1),
  argv: ["/bin/sh", "-c", text],
  env: { KNOCKGATE_SOURCE: "192.0.2.1" },
});

/** A queue whose commands end when they are told to. */
function heldQueue(changes: { mostAtOnce?: number; mostWaiting?: number; longestMs?: number } = {}) {
  const clock = new FakeClock();
  const ends: CommandEnd[] = [];
  const running: { text: string; end: (end: ProcessEnd) => void }[] = [];
  const queue = new CommandQueue({
    clock,
    start: ({ argv }) => {
      let end: (end: ProcessEnd) => void = () => {};
      const ended = new Promise<ProcessEnd>((resolve) => {
        end = resolve;
      });
      running.push({ text: argv[2] ?? "", end });
      return { ended, kill: () => end({ exitCode: undefined, reason: "SIGKILL", output: "" }) };
    },
    report: { started: () => {}, ended: (end) => void ends.push(end), warned: () => {} },
    ...changes,
  });
  const finish = async (at: number) => {
    running[at]?.end({ exitCode: 0, reason: undefined, output: "" });
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  return { queue, clock, ends, finish, texts: () => running.map(({ text }) => text) };
}

test("only so many run at once, and those of one lane one after the other", async () => {
  const { queue, finish, texts } = heldQueue({ mostAtOnce: 2 });
  for (const [lane, text] of [
    ["a", "a1"],
    ["a", "a2"],
    ["b", "b1"],
    ["c", "c1"],
  ] as const)
    void queue.run(lane, shell(text));
  expect(texts()).toEqual(["a1", "b1"]);
  await finish(1);
  expect(texts()).toEqual(["a1", "b1", "c1"]);
  await finish(0);
  expect(texts()).toEqual(["a1", "b1", "c1", "a2"]);
  let settled = false;
  void queue.settled().then(() => {
    settled = true;
  });
  await finish(2);
  expect(settled).toBe(false);
  await finish(3);
  expect(settled).toBe(true);
});

test("what takes too long is ended, and the next one runs", async () => {
  const { queue, clock, ends, texts } = heldQueue({ mostAtOnce: 1, longestMs: 60_000 });
  void queue.run("a", shell("slow"));
  void queue.run("b", shell("next"));
  await clock.advanceAsync(60_000);
  expect(ends).toMatchObject([{ result: "too-long", reason: "it took longer than 60 s", seconds: 60 }]);
  expect(texts()).toEqual(["slow", "next"]);
});

test("when too many wait the next is refused", async () => {
  const { queue, ends } = heldQueue({ mostAtOnce: 1, mostWaiting: 1 });
  void queue.run("a", shell("1"));
  void queue.run("a", shell("2"));
  expect(await queue.run("a", shell("3"))).toBe("refused");
  expect(ends).toMatchObject([{ result: "refused", reason: "too many commands wait already" }]);
});

test("a real command has its environment, its exit code and the beginning of its output", async () => {
  const { ended } = startCommand(shell(`echo "$KNOCKGATE_SOURCE $((6*7))"; echo trouble >&2; exit 3`));
  const end = await ended;
  expect([end.exitCode, end.output.split("\n").sort()]).toEqual([3, ["", "192.0.2.1 42", "trouble"]]);
  const long = await startCommand(shell("head -c 100000 /dev/zero | tr '\\0' x")).ended;
  expect(long.output).toHaveLength(4096);
});

test("a command that leaves something behind is not waited for, one that hangs can be killed with all it started", async () => {
  expect((await startCommand(shell("sleep 2 & echo $!")).ended).exitCode).toBe(0);
  const running = startCommand(shell("sleep 2; echo never"));
  running.kill();
  expect(await running.ended).toMatchObject({ exitCode: undefined, reason: "SIGKILL", output: "" });
});

test("what cannot be started ends with a reason", async () => {
  const missing = await startCommand({ ...shell(""), argv: ["/nowhere/program"] }).ended;
  expect(missing).toMatchObject({ exitCode: undefined, reason: expect.stringContaining("ENOENT") });
  const nul = await startCommand(shell("a\0b")).ended;
  expect(nul).toMatchObject({ exitCode: undefined, reason: expect.stringContaining("null bytes") });
});
