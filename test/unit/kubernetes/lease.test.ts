import { expect, test } from "vitest";
import { Lease } from "../../../src/kubernetes/lease.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { StoredObjects } from "../../fake/stored-objects.ts";

const renewals = (api: StoredObjects) => api.writes.length;

/** Agents that share an API and a clock; each has a connection of its own that a test can cut. */
function agents(...names: readonly string[]) {
  const clock = new FakeClock();
  const api = new StoredObjects();
  const made = names.map((holder) => {
    const connection = { isCut: false };
    const ask =
      <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
      (...args: Args) =>
        connection.isCut ? new Promise<Result>(() => undefined) : call.apply(api, args);
    const client = { get: ask(api.get), create: ask(api.create), patch: ask(api.patch) };
    const told: boolean[] = [];
    const failures: string[] = [];
    const lease = new Lease({
      client,
      clock,
      random: () => 0.5,
      namespace: "bastion",
      name: "knockgate",
      holder,
      changed: (held) => told.push(held),
      failed: ({ code }) => failures.push(code),
    });
    lease.start();
    return { lease, told, failures, connection };
  });
  return { clock, api, made, heldBy: () => made.map(({ lease }) => lease.held) };
}

test("one of three holds it, and goes on holding it", async () => {
  const { clock, heldBy, made } = agents("a", "b", "c");
  for (let second = 0; second < 120; second++) {
    await clock.advanceAsync(1000);
    expect(heldBy()).toEqual([true, false, false]);
  }
  expect(made.map(({ told }) => told)).toEqual([[true], [], []]);
});

test("whoever waits writes nothing, and the holder three times in ten seconds", async () => {
  const { clock, api } = agents("a", "b", "c");
  await clock.advanceAsync(1000);
  const before = renewals(api);
  await clock.advanceAsync(60_000, 500);
  expect(renewals(api) - before).toBe(20);
});

test("when the holder dies another has it within 20 s, and never two at once", async () => {
  const { clock, made, heldBy } = agents("a", "b", "c");
  await clock.advanceAsync(30_000, 1000);
  const [first] = made;
  if (first === undefined) throw new Error("no agent");
  first.connection.isCut = true;
  let seconds = 0;
  for (; !heldBy().slice(1).includes(true); seconds++) {
    expect(heldBy().filter(Boolean).length).toBeLessThanOrEqual(1);
    await clock.advanceAsync(1000, 100);
    expect(seconds).toBeLessThan(20);
  }
  expect(heldBy().filter(Boolean)).toHaveLength(1);
  expect(first.told).toEqual([true, false]);
});

test("a holder that ends lets go, and another need not wait for it to lapse", async () => {
  const { clock, made, heldBy } = agents("a", "b");
  await clock.advanceAsync(1000);
  await made[0]?.lease.close();
  await clock.advanceAsync(6000, 500);
  expect(heldBy()).toEqual([false, true]);
});

test("an API that does not work costs the hold after eight seconds, and it comes back with the API", async () => {
  const { clock, api, made, heldBy } = agents("a");
  await clock.advanceAsync(1000);
  api.failure = "server";
  await clock.advanceAsync(6000, 500);
  expect(heldBy()).toEqual([true]);
  await clock.advanceAsync(4000, 500);
  expect(heldBy()).toEqual([false]);
  expect(made[0]?.failures).toContain("server");
  api.failure = undefined;
  await clock.advanceAsync(6000, 500);
  expect(heldBy()).toEqual([true]);
});
