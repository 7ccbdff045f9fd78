import { setImmediate } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { ApiError, type ApiErrorCode } from "../../../src/kubernetes/api-error.ts";
import { type QueuedRequest, RequestQueue } from "../../../src/kubernetes/request-queue.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

let clock: FakeClock;
let queue: RequestQueue;
let sent: string[];
let given: string[];
let told: number[];
let failed: ApiErrorCode[];

beforeEach(() => {
  clock = new FakeClock();
  queue = new RequestQueue({
    clock,
    random: () => 0.5,
    most: 3,
    changed: (waiting) => told.push(waiting),
    failed: ({ code }) => failed.push(code),
  });
  sent = [];
  given = [];
  told = [];
  failed = [];
});

/** A request that fails with these, then succeeds. */
function request(name: string, ...failures: ApiErrorCode[]): QueuedRequest & { isUseless: boolean } {
  return {
    isUseless: false,
    async send() {
      sent.push(name);
      const code = failures.shift();
      if (code !== undefined) throw new ApiError(code, name);
    },
    isOver() {
      return this.isUseless;
    },
    gaveUp: (error) => void given.push(`${name} ${error?.code ?? "over"}`),
  };
}

async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await setImmediate();
}

describe("a request", () => {
  test("is sent at once, and done with its success", async () => {
    expect(queue.add(request("a"))).toBe(true);
    await pass(0);
    expect([sent, queue.waiting, told]).toEqual([["a"], 0, [1, 0]]);
  });

  test("is sent again, ever more seldom, until it succeeds", async () => {
    queue.add(request("a", "unreachable", "server", "throttled"));
    await pass(0);
    await pass(375);
    await pass(750);
    expect(sent).toHaveLength(3);
    await pass(1499);
    expect(sent).toHaveLength(3);
    await pass(1);
    expect([sent.length, queue.waiting, given]).toEqual([4, 0, []]);
    expect(failed).toEqual(["unreachable", "server", "throttled"]);
  });

  test("is given up when the API refuses it for good", async () => {
    queue.add(request("a", "refused"));
    await pass(0);
    expect([given, queue.waiting, clock.pendingTimers]).toEqual([["a refused"], 0, 0]);
    expect(failed).toEqual([]);
  });

  test("is given up when it is of no use any more", async () => {
    const a = request("a", "unreachable");
    queue.add(a);
    await pass(0);
    a.isUseless = true;
    await pass(375);
    expect([sent, given, queue.waiting]).toEqual([["a"], ["a over"], 0]);
  });

  test("that is not allowed does not hold up others", async () => {
    queue.add(request("a", "forbidden"));
    queue.add(request("b"));
    await pass(0);
    expect([sent, queue.waiting]).toEqual([["a", "b"], 1]);
  });

  test("waits no longer when the API is back", async () => {
    queue.add(request("a", "unreachable"));
    await pass(0);
    queue.hurry();
    await pass(0);
    expect([sent, queue.waiting, clock.pendingTimers]).toEqual([["a", "a"], 0, 0]);
  });
});

test("no more wait than there is room for; those that are over make room", async () => {
  const first = request("a", "unreachable");
  for (const one of [first, request("b", "unreachable"), request("c", "unreachable")]) queue.add(one);
  await pass(0);
  expect(queue.add(request("d"))).toBe(false);
  first.isUseless = true;
  expect(queue.add(request("e"))).toBe(true);
  expect(given).toEqual(["a over"]);
});

test("closing gives up without a word and leaves no timer", async () => {
  queue.add(request("a", "unreachable"));
  await pass(0);
  await queue.close();
  expect([queue.add(request("b")), given, clock.pendingTimers, queue.waiting]).toEqual([false, [], 0, 0]);
});
