import { expect, test } from "vitest";
import { ApiError, type ApiErrorCode } from "../../../src/kubernetes/api-error.ts";
import { WriteQueue } from "../../../src/kubernetes/write-queue.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

function setUp() {
  const clock = new FakeClock();
  const written: string[] = [];
  const failures: string[] = [];
  const api: { failure: ApiErrorCode | undefined; retryAfterMs: number | undefined } = {
    failure: undefined,
    retryAfterMs: undefined,
  };
  const queue = new WriteQueue({ clock, pauseMs: 50, failed: ({ code }) => failures.push(code) });
  const ask = (key: string) =>
    queue.ask(key, async () => {
      if (api.failure !== undefined)
        throw new ApiError(api.failure, "", api.retryAfterMs === undefined ? {} : { retryAfterMs: api.retryAfterMs });
      written.push(key);
    });
  return { clock, written, failures, api, queue, ask };
}

test("many at once are written one after the other, at a bounded rate, each once", async () => {
  const { clock, written, ask } = setUp();
  for (let round = 0; round < 3; round++) for (let key = 0; key < 100; key++) ask(String(key));
  await clock.advanceAsync(1000, 10);
  expect(written.length).toBeLessThanOrEqual(21);
  await clock.advanceAsync(5000, 10);
  expect(written).toEqual(Array.from({ length: 100 }, (_, key) => String(key)));
});

test("what fails is tried again, ever more seldom, and all is written in the end", async () => {
  const { clock, written, failures, api, ask } = setUp();
  api.failure = "server";
  ask("a");
  ask("b");
  await clock.advanceAsync(60_000, 500);
  expect(failures.length).toBeGreaterThan(3);
  expect(failures.length).toBeLessThan(9);
  api.failure = undefined;
  await clock.advanceAsync(70_000, 500);
  expect(written.toSorted()).toEqual(["a", "b"]);
});

test("the server's wait is obeyed", async () => {
  const { clock, failures, written, api, ask } = setUp();
  Object.assign(api, { failure: "throttled", retryAfterMs: 30_000 });
  ask("a");
  await clock.advanceAsync(29_000, 500);
  expect(failures).toEqual(["throttled"]);
  api.failure = undefined;
  await clock.advanceAsync(2000, 500);
  expect(written).toEqual(["a"]);
});

test("an object that is gone is not written to, and after close nothing is", async () => {
  const { clock, failures, written, api, queue, ask } = setUp();
  api.failure = "missing";
  ask("a");
  await clock.advanceAsync(1000, 50);
  expect([failures, queue.size]).toEqual([[], 0]);
  api.failure = undefined;
  ask("b");
  await queue.close();
  ask("c");
  await clock.advanceAsync(1000, 50);
  expect(written).toEqual([]);
});
