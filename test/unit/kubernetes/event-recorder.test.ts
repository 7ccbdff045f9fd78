import { beforeEach, describe, expect, test } from "vitest";
import type { ApiError } from "../../../src/kubernetes/api-error.ts";
import { EventRecorder } from "../../../src/kubernetes/event-recorder.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { StoredObjects } from "../../fake/stored-objects.ts";

const ssh = { namespace: "bastion", name: "ssh", uid: "uid-ssh" };
const web = { namespace: "bastion", name: "web", uid: "uid-web" };
const opened = "A knock on bastion-1 opened the door.";

let clock: FakeClock;
let api: StoredObjects;
let recorder: EventRecorder;
let failures: string[];

beforeEach(() => {
  clock = new FakeClock();
  api = new StoredObjects();
  failures = [];
  const failed = ({ code }: ApiError) => void failures.push(code);
  recorder = new EventRecorder({ client: api, clock, host: "bastion-1", failed });
});

/** What stands in every Event, as `reason x count`. */
function told(): readonly string[] {
  return api.stored.map((object) => {
    const { reason, count } = object as unknown as { reason: string; count: number };
    return `${reason} x${count}`;
  });
}

describe("an Event", () => {
  test("has the shape that kubectl describe looks for, and is a warning where a policy is rejected", async () => {
    recorder.tell(ssh, "Rejected", "StepGuarded: spec.knock.steps[1]: The step is guarded.");
    await clock.advanceAsync(2000, 100);
    expect(api.stored).toMatchObject([
      {
        kind: "Event",
        metadata: { namespace: "bastion", name: expect.stringMatching(/^ssh\.[0-9a-f]+$/) },
        involvedObject: { apiVersion: "knockgate.io/v1alpha1", kind: "KnockSequence", ...ssh },
        type: "Warning",
        reason: "Rejected",
        message: "StepGuarded: spec.knock.steps[1]: The step is guarded.",
        count: 1,
        firstTimestamp: "2023-11-14T22:30:00Z",
        source: { component: "knockgate", host: "bastion-1" },
      },
    ]);
  });

  test("is one for all that is told in ten seconds, and grows by what is told later", async () => {
    for (let knock = 0; knock < 1000; knock++) {
      recorder.tell(ssh, "Granted", opened);
      await clock.advanceAsync(9);
    }
    await clock.advanceAsync(2000, 100);
    expect(told()).toEqual(["Granted x1000"]);
    recorder.tell(ssh, "Granted", opened);
    await clock.advanceAsync(11_000, 100);
    expect(told()).toEqual(["Granted x1001"]);
    expect(api.writes).toHaveLength(2);
  });

  test("is another one for each object, reason and message", async () => {
    recorder.tell(ssh, "Granted", opened);
    recorder.tell(web, "Granted", opened);
    recorder.tell(ssh, "Revoked", "The door was closed.");
    recorder.tell(ssh, "Accepted", "The policy is sound.");
    await clock.advanceAsync(12_000, 100);
    expect(told().toSorted()).toEqual(["Accepted x1", "Granted x1", "Granted x1", "Revoked x1"]);
  });

  test("that the API has forgotten, as it does after an hour, begins anew", async () => {
    recorder.tell(ssh, "Granted", opened);
    await clock.advanceAsync(11_000, 100);
    api.clear();
    recorder.tell(ssh, "Granted", opened);
    await clock.advanceAsync(11_000, 100);
    expect(told()).toEqual(["Granted x1"]);
  });
});

describe("writes are bounded", () => {
  test("for one object to 25 and one more every five minutes; nothing of the sum is lost", async () => {
    for (let sum = 0; sum < 360; sum++) {
      recorder.tell(ssh, "Granted", opened);
      await clock.advanceAsync(10_000, 500); // an hour in all
    }
    expect(api.writes.length).toBeGreaterThanOrEqual(36);
    expect(api.writes.length).toBeLessThanOrEqual(38);
    await clock.advanceAsync(300_000, 1000);
    expect(told()).toEqual(["Granted x360"]);
  });

  test("for all together to five a second", async () => {
    for (let at = 0; at < 100; at++) recorder.tell({ ...ssh, uid: `uid-${at}` }, "Accepted", "The policy is sound.");
    await clock.advanceAsync(3000, 50);
    expect(api.writes.length).toBeLessThanOrEqual(11);
    await clock.advanceAsync(20_000, 50);
    expect(api.writes).toHaveLength(100);
  });
});

describe("what cannot be written", () => {
  test("is dropped where the role is missing, and the next one is tried", async () => {
    api.failure = "forbidden";
    recorder.tell(ssh, "Accepted", "The policy is sound.");
    await clock.advanceAsync(120_000, 500);
    expect(failures).toEqual(["forbidden"]);
    api.failure = undefined;
    recorder.tell(ssh, "Accepted", "The policy is sound.");
    await clock.advanceAsync(2000, 100);
    expect(told()).toEqual(["Accepted x1"]);
  });

  test("because the API is away is made up for, in sum", async () => {
    api.failure = "unreachable";
    for (let knock = 0; knock < 3; knock++) {
      recorder.tell(ssh, "Granted", opened);
      await clock.advanceAsync(20_000, 500);
    }
    api.failure = undefined;
    await clock.advanceAsync(60_000, 500);
    expect(told()).toEqual(["Granted x3"]);
  });

  test("of a KnockSequence that is gone, or after the end, is forgotten", async () => {
    recorder.tell(ssh, "Granted", opened);
    recorder.tell(web, "Granted", opened);
    recorder.keep(new Set([web.uid]));
    await clock.advanceAsync(11_000, 100);
    expect(told()).toEqual(["Granted x1"]);
    recorder.tell(web, "Granted", opened);
    await recorder.close();
    recorder.tell(web, "Granted", opened);
    await clock.advanceAsync(11_000, 100);
    expect([told(), clock.pendingTimers]).toEqual([["Granted x1"], 0]);
  });
});
