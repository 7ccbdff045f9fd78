import { afterEach, beforeEach, expect, test } from "vitest";
import { ServerTime } from "../../../src/kubernetes/server-time.ts";
import { FakeApi } from "../../fake/fake-api.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { settle } from "../../fake/replicated-node.ts";

const kind = { group: "knockgate.io", version: "v1alpha1", plural: "knockgrants" };
const aheadMicros = 1_600_000_000_730_000;

let clock: FakeClock;
let api: FakeApi;
let time: ServerTime;
let improved: number;

beforeEach(() => {
  clock = new FakeClock();
  api = new FakeApi();
  api.serverMicros = () => clock.nowMicros() + aheadMicros;
  improved = 0;
  const selection = { kind, fieldSelector: "metadata.name=time" };
  time = new ServerTime({ client: api, selection, clock, random: () => 0.5, improved: () => improved++ });
});
afterEach(() => time.close());

async function pass(seconds: number): Promise<void> {
  for (let tenth = 0; tenth < seconds * 10; tenth++) {
    clock.advance(100);
    await settle();
  }
}

function errorMicros(): number {
  return Math.abs((time.now() ?? 0) - (clock.nowMicros() + aheadMicros));
}

test("is known to half a second with the first answer, and to a tenth after a few", async () => {
  expect(time.now()).toBeUndefined();
  time.start();
  await settle();
  expect(errorMicros()).toBeLessThanOrEqual(500_000);
  await pass(10);
  expect(errorMicros()).toBeLessThanOrEqual(100_000);
  expect(improved).toBeGreaterThan(1);
  expect(api.lists.length).toBeLessThanOrEqual(6);
});

test("costs one or two requests in ten minutes", async () => {
  time.start();
  await pass(10);
  const before = api.lists.length;
  await pass(1200);
  expect(api.lists.length - before).toBeLessThanOrEqual(8);
  expect(errorMicros()).toBeLessThanOrEqual(100_000);
});

test("comes when the API does, and follows a clock that somebody sets", async () => {
  api.fail("knockgrants", "unreachable");
  time.start();
  await pass(5);
  expect(time.now()).toBeUndefined();
  api.fail("knockgrants", undefined);
  await pass(40);
  expect(errorMicros()).toBeLessThanOrEqual(100_000);
  api.serverMicros = () => clock.nowMicros() + aheadMicros + 300e6;
  await pass(900);
  expect(Math.abs(errorMicros() - 300e6)).toBeLessThanOrEqual(500_000);
});

test("stops with its timer and request", async () => {
  time.start();
  await settle();
  await time.close();
  await settle();
  expect(clock.pendingTimers).toBe(0);
});
