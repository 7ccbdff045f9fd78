import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { InstanceLock } from "../../src/instance-lock.ts";

let folder: string;
let locks: InstanceLock[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "knockgate-lock-"));
  locks = [];
});

afterEach(async () => {
  for (const lock of locks) lock.release();
  await rm(folder, { recursive: true });
});

test("a second one is told for whom it waits, and takes over when the first lets go", async () => {
  const first = lock();
  await first.acquire(() => expect.unreachable());
  const waiting: string[] = [];
  const told = deferred();
  const second = lock().acquire((holder) => {
    waiting.push(holder);
    told.resolve();
  });
  await told.promise;
  expect(waiting).toEqual([`agent with pid ${process.pid}`]);
  first.release();
  await second;
});

test("who gives up waiting does not take over", async () => {
  const first = lock();
  await first.acquire(() => expect.unreachable());
  const impatient = lock();
  const told = deferred();
  const waiting = impatient.acquire(() => told.resolve());
  await told.promise;
  impatient.release();
  await expect(waiting).rejects.toThrow(/could not be taken/);
  first.release();
  await lock().acquire(() => expect.unreachable());
});

function lock(): InstanceLock {
  const made = new InstanceLock(folder);
  locks.push(made);
  return made;
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
