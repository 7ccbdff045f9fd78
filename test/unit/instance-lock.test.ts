import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { InstanceLock } from "../../src/instance-lock.ts";
import { type SocketOwner, socketOwner } from "../../src/socket-owner.ts";

let number = 0;
let name: string;
let locks: InstanceLock[];
let warnings: string[];

beforeEach(() => {
  name = `\0knockgate-test-${process.pid}-${number++}`.padEnd(108, ".");
  locks = [];
  warnings = [];
});

afterEach(() => {
  for (const lock of locks) lock.release();
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

test("of several that wait one takes over, and the others wait for that one", async () => {
  const first = lock();
  await first.acquire(() => expect.unreachable());
  const others = [lock(), lock(), lock()];
  const taken: InstanceLock[] = [];
  const waits = others.map((other) => other.acquire(() => undefined).then(() => taken.push(other)));
  first.release();
  for (const count of [1, 2, 3]) {
    await expect.poll(() => taken.length).toBe(count);
    taken.at(-1)?.release();
  }
  await Promise.all(waits);
});

test("who gives up waiting does not take over", async () => {
  const first = lock();
  await first.acquire(() => expect.unreachable());
  const impatient = lock();
  const told = deferred();
  const waiting = impatient.acquire(() => told.resolve());
  await told.promise;
  impatient.release();
  await expect(waiting).rejects.toThrow(/the wait was ended/);
  first.release();
  await lock().acquire(() => expect.unreachable());
});

test("an unprivileged user who holds the name keeps no agent from its work", async () => {
  await lock().acquire(() => expect.unreachable());
  await lock(() => ({ uid: process.getuid?.() === 1000 ? 1001 : 1000, pid: 4711 })).acquire(() => expect.unreachable());
  expect(warnings).toEqual([expect.stringMatching(/^the process 4711 of the unprivileged user 100\d holds/)]);
});

test("where the kernel does not tell who it is, it is another agent", async () => {
  const first = lock();
  await first.acquire(() => expect.unreachable());
  const told = deferred();
  const waiting: string[] = [];
  const second = lock(() => undefined).acquire((holder) => {
    waiting.push(holder);
    told.resolve();
  });
  await told.promise;
  expect(waiting).toEqual(["another agent"]);
  first.release();
  await second;
});

test("the kernel tells who listens, and nothing of a name that is free", async () => {
  expect(socketOwner(name)).toBeUndefined();
  await lock().acquire(() => expect.unreachable());
  expect(socketOwner(name)).toEqual({ uid: process.getuid?.(), pid: process.pid });
});

function lock(ownerOf?: (path: string) => SocketOwner | undefined): InstanceLock {
  const warned = (message: string) => void warnings.push(message);
  const made = new InstanceLock({ clock: systemClock, warned, name, ...(ownerOf && { ownerOf }) });
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
