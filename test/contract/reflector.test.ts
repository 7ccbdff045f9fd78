import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ApiClient } from "../../src/kubernetes/api-client.ts";
import { type Objects, Reflector } from "../../src/kubernetes/reflector.ts";
import type { Condition, RestartCause } from "../../src/kubernetes/reflector-report.ts";
import { FakeClock } from "../fake/fake-clock.ts";
import { kubeObject, ScriptedApi, type ScriptedRequest } from "../fake/scripted-api.ts";

const kind = { group: "knockgate.io", version: "v1alpha1", plural: "knocksequences" };
const a = kubeObject("a", "11");
const b = kubeObject("b", "12");

let clock: FakeClock;
let api: ScriptedApi;
let client: ApiClient;
let reflector: Reflector;
/** What was told, each wakes whoever waits. */
let told: EventTarget;
let copies: string[][];
let conditions: Condition[];
/** The same as the report has it; undefined: it has ended. */
let reported: (Condition | undefined)[];
let causes: RestartCause[];
let handlerFailures: number;
let handler: (objects: Objects) => void;

beforeEach(async () => {
  clock = new FakeClock();
  api = await ScriptedApi.start();
  client = new ApiClient({ credentials: api.credentials, clock });
  told = new EventTarget();
  copies = [];
  conditions = [];
  reported = [];
  causes = [];
  handlerFailures = 0;
  handler = () => {};
  reflector = new Reflector({
    client,
    selection: { kind, namespace: "bastion" },
    name: { resource: "knocksequences", scope: "bastion" },
    clock,
    random: () => 0.5,
    report: {
      restarted: (_, cause) => {
        causes.push(cause);
        told.dispatchEvent(new Event("restarted"));
      },
      condition: (_, condition) => void reported.push(condition),
      handlerFailed: () => {
        handlerFailures++;
      },
    },
    changed: (objects) => {
      copies.push([...objects.keys()]);
      told.dispatchEvent(new Event("changed"));
      handler(objects);
    },
    conditionChanged: (condition) => void conditions.push(condition),
  });
});

afterEach(async () => {
  await reflector.stop();
  client.close();
  await api.stop();
});

/** Does something and waits until it was told. */
async function until(what: "restarted" | "changed", act: () => void): Promise<void> {
  const heard = once(told, what);
  act();
  await heard;
  await setImmediate(); // whoever was told has gone on to its timer, if there is one
}

/** Starts, lists `a` at version 20, and hands over the watch that follows. */
async function startWatching(): Promise<ScriptedRequest> {
  void reflector.start();
  const list = await api.expect("list");
  await until("changed", () => list.items([a], "20"));
  const watch = await api.expect("watch");
  return watch.begin();
}

/** Lets the watch live long enough to have been of use. */
function live(): void {
  clock.advance(2000);
}

function nameOf(condition: Condition | undefined): string | undefined {
  return condition?.kind === "failing" ? condition.error.code : condition?.kind;
}

describe("the copy", () => {
  test("is complete after every list and every change", async () => {
    const watch = await startWatching();
    await until("changed", () => watch.event("ADDED", b));
    await until("changed", () => watch.event("MODIFIED", kubeObject("b", "13", { spec: 1 })));
    expect(reflector.objects?.get("bastion/b")).toMatchObject({ spec: 1 });
    await until("changed", () => watch.event("DELETED", kubeObject("a", "14")));
    expect(copies).toEqual([["bastion/a"], ["bastion/a", "bastion/b"], ["bastion/a", "bastion/b"], ["bastion/b"]]);
  });

  test("is listed in pages and watched from the last version with bookmarks, each with an end of its own", async () => {
    void reflector.start();
    const first = await api.expect("list");
    expect(first.url.pathname).toBe("/apis/knockgate.io/v1alpha1/namespaces/bastion/knocksequences");
    expect(first.get("limit")).toBe("500");
    first.items([a], "20", "more");
    const second = await api.expect("list");
    expect(second.get("continue")).toBe("more");
    await until("changed", () => second.items([b], "20"));
    expect(copies).toEqual([["bastion/a", "bastion/b"]]);
    const watch = await api.expect("watch");
    expect(watch.get("resourceVersion")).toBe("20");
    expect(watch.get("allowWatchBookmarks")).toBe("true");
    expect(Number(watch.get("timeoutSeconds"))).toBe(450); // 300 to 600, the random number being a half
  });

  test("survives whatever fails afterwards", async () => {
    const watch = await startWatching();
    live();
    await until("restarted", () => watch.reset());
    expect(nameOf(reflector.condition)).toBe("unreachable");
    expect([...(reflector.objects?.keys() ?? [])]).toEqual(["bastion/a"]);
  });

  test("has what came in one piece with a bad event, and is told so", async () => {
    const watch = await startWatching();
    live();
    const events = [
      { type: "ADDED", object: b },
      { type: "ERROR", object: { code: 500 } },
    ];
    await until("restarted", () => watch.raw(events.map((event) => `${JSON.stringify(event)}\n`).join("")));
    expect(copies.at(-1)).toEqual(["bastion/a", "bastion/b"]);
    clock.advance(500);
    expect((await api.expect("watch")).get("resourceVersion")).toBe("12");
  });
});

describe("a list that fails", () => {
  test.each([
    { name: "500", status: 500, cause: "server", error: "server", waitMs: 375 },
    { name: "403: a role may come", status: 403, cause: "forbidden", error: "forbidden", waitMs: 11_250 },
    { name: "404: the CRD may come", status: 404, cause: "missing", error: "missing", waitMs: 11_250 },
    { name: "429 without Retry-After", status: 429, cause: "throttled", error: "throttled", waitMs: 375 },
  ])("is tried again after a wait: $name", async ({ status, cause, error, waitMs }) => {
    void reflector.start();
    const list = await api.expect("list");
    await until("restarted", () => list.refuse(status));
    expect(causes).toEqual([cause]);
    expect(nameOf(conditions.at(-1))).toBe(error);
    expect(clock.nextTimerMs).toBe(waitMs);
    clock.advance(waitMs);
    const again = await api.expect("list");
    await until("changed", () => again.items([a], "20"));
    expect(conditions.map(nameOf)).toEqual([error, "current"]);
  });

  test.each([
    { name: "429", status: 429 },
    { name: "503", status: 503 },
  ])("waits as long as $name asks with Retry-After, and a little more", async ({ status }) => {
    void reflector.start();
    const list = await api.expect("list");
    await until("restarted", () => list.refuse(status, { "Retry-After": "7" }));
    expect(clock.nextTimerMs).toBe(7375);
  });

  test("waits twice as long each time, up to half a minute", async () => {
    void reflector.start();
    const waits: (number | undefined)[] = [];
    for (let round = 0; round < 9; round++) {
      const list = await api.expect("list");
      await until("restarted", () => list.refuse(500));
      waits.push(clock.nextTimerMs);
      clock.advance(clock.nextTimerMs ?? 0);
    }
    expect(waits).toEqual([375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500]);
  });

  test("is tried again at once with the renewed token after 401, later with a wait", async () => {
    void reflector.start();
    const list = await api.expect("list");
    expect(list.headers.authorization).toBe("Bearer first");
    list.refuse(401);
    const again = await api.expect("list");
    expect(again.headers.authorization).toBe("Bearer renewed-1");
    await until("restarted", () => again.refuse(401));
    expect(clock.nextTimerMs).toBe(750);
    expect(causes).toEqual(["unauthorized", "unauthorized"]);
  });

  test("does not wait for ever for an answer", async () => {
    void reflector.start();
    const list = await api.expect("list");
    await until("restarted", () => clock.advance(30_000));
    expect(nameOf(reflector.condition)).toBe("late");
    await list.closed;
  });

  test.each([
    { name: "no JSON", body: "<html>", code: "malformed" },
    { name: "no list", body: { kind: "Pod" }, code: "malformed" },
    { name: "an item without metadata", body: { metadata: { resourceVersion: "1" }, items: [1] }, code: "malformed" },
    { name: "null", body: null, code: "malformed" },
  ])("does not believe $name", async ({ body, code }) => {
    void reflector.start();
    const list = await api.expect("list");
    await until("restarted", () => list.answer(200, body));
    expect(nameOf(reflector.condition)).toBe(code);
    expect(reflector.objects).toBeUndefined();
  });

  test("begins afresh when its pages have expired", async () => {
    void reflector.start();
    (await api.expect("list")).items([a], "20", "more");
    const second = await api.expect("list");
    await until("restarted", () => second.refuse(410));
    expect(causes).toEqual(["expired"]);
    clock.advance(375);
    expect((await api.expect("list")).get("continue")).toBeNull();
  });
});

describe("a watch", () => {
  test("that the server ends in good order is begun again at once, from the last bookmark", async () => {
    const watch = await startWatching();
    await until("changed", () => watch.event("ADDED", b).bookmark("30"));
    live();
    watch.end();
    const next = await api.expect("watch");
    expect(next.get("resourceVersion")).toBe("30");
    expect(causes).toEqual(["ended"]);
    expect(conditions.map(nameOf)).toEqual(["current"]);
  });

  test("that ends within a second again and again is begun again with longer and longer waits", async () => {
    let watch = await startWatching();
    const waits: (number | undefined)[] = [];
    for (let round = 0; round < 4; round++) {
      await until("restarted", () => watch.end());
      waits.push(clock.nextTimerMs);
      clock.advance(clock.nextTimerMs ?? 0);
      watch = (await api.expect("watch")).begin();
    }
    expect(waits).toEqual([375, 750, 1500, 3000]);
  });

  test("that was reset goes on from the last version", async () => {
    const watch = await startWatching();
    await until("changed", () => watch.event("ADDED", b));
    live();
    await until("restarted", () => watch.reset());
    expect(causes).toEqual(["reset"]);
    clock.advance(375);
    const next = await api.expect("watch");
    expect(next.get("resourceVersion")).toBe("12");
    await until("changed", () => next.begin().event("DELETED", kubeObject("a", "31")));
    expect(conditions.map(nameOf)).toEqual(["current", "unreachable", "current"]);
  });

  test.each([503, 500])("that is answered %i is begun again after a wait", async (status) => {
    void reflector.start();
    const list = await api.expect("list");
    await until("changed", () => list.items([a], "20"));
    const watch = await api.expect("watch");
    await until("restarted", () => watch.refuse(status));
    expect(clock.nextTimerMs).toBe(375);
    clock.advance(375);
    expect((await api.expect("watch")).get("resourceVersion")).toBe("20");
  });

  test.each([
    { name: "410 as an answer", act: (watch: ScriptedRequest) => watch.refuse(410) },
    { name: "410 as an event", act: (watch: ScriptedRequest) => watch.begin().event("ERROR", { code: 410 }) },
  ])("whose version is too old is preceded by a list: $name", async ({ act }) => {
    void reflector.start();
    const list = await api.expect("list");
    await until("changed", () => list.items([a, b], "20"));
    const watch = await api.expect("watch");
    await until("restarted", () => act(watch));
    expect(causes).toEqual(["expired"]);
    clock.advance(375);
    const again = await api.expect("list");
    await until("changed", () => again.items([b], "90"));
    expect(copies.at(-1)).toEqual(["bastion/b"]);
    expect((await api.expect("watch")).get("resourceVersion")).toBe("90");
    expect(conditions.map(nameOf)).toEqual(["current"]);
  });

  test("fails with any other ERROR event, though the stream stays open", async () => {
    const watch = await startWatching();
    await until("restarted", () => watch.event("ERROR", { code: 500, message: "etcd is gone" }));
    expect(causes).toEqual(["server"]);
    await watch.closed;
    expect(nameOf(reflector.condition)).toBe("server");
  });

  test("that falls silent is given up and begun again", async () => {
    const watch = await startWatching();
    await until("changed", () => watch.event("ADDED", b));
    clock.advance(140_000);
    await until("changed", () => watch.event("MODIFIED", kubeObject("b", "13"))); // a sign of life
    clock.advance(149_000);
    expect(causes).toEqual([]);
    await until("restarted", () => clock.advance(1000));
    expect(causes).toEqual(["idle"]);
    await watch.closed;
  });

  test("ends though the server forgets to end it", async () => {
    const watch = await startWatching();
    for (let minute = 0; minute < 8; minute++) {
      await until("changed", () => watch.event("MODIFIED", kubeObject("b", `3${minute}`)));
      expect(causes).toEqual([]);
      clock.advance(59_000);
    }
    await until("restarted", () => clock.advance(8000)); // 450 s, and 30 s more
    await watch.closed;
  });

  test.each([
    { name: "no JSON", line: "{oops\n" },
    { name: "no event", line: '{"type":"NEWS"}\n' },
    { name: "null", line: "null\n" },
    { name: "an object without metadata", line: '{"type":"ADDED","object":{}}\n' },
    { name: "an object without a name", line: '{"type":"ADDED","object":{"metadata":{"resourceVersion":"3"}}}\n' },
  ])("does not believe $name, and lists again", async ({ line }) => {
    const watch = await startWatching();
    await until("restarted", () => watch.raw(line));
    expect(causes).toEqual(["malformed"]);
    expect([...(reflector.objects?.keys() ?? [])]).toEqual(["bastion/a"]);
    clock.advance(375);
    await api.expect("list");
  });

  test("reads no line of more than four mebibytes, and lists again", async () => {
    const watch = await startWatching();
    await until("restarted", () => watch.raw(`{"type":"ADDED","object":"${"x".repeat(4 << 20)}`));
    expect(causes).toEqual(["too-large"]);
    await watch.closed;
    clock.advance(375);
    await api.expect("list");
  });

  test("reads lines however they are cut", async () => {
    const watch = await startWatching();
    const line = `${JSON.stringify({ type: "ADDED", object: kubeObject("ü", "12") })}\n`;
    const bytes = Buffer.from(line);
    const heard = once(told, "changed");
    for (const byte of bytes) watch.raw(Buffer.of(byte));
    await heard;
    expect(copies.at(-1)).toEqual(["bastion/a", "bastion/ü"]);
  });
});

describe("who is told", () => {
  test("may throw: it is counted and the watch goes on", async () => {
    handler = () => {
      throw new Error("a defect");
    };
    const watch = await startWatching();
    await until("changed", () => watch.event("ADDED", b));
    expect(handlerFailures).toBe(2);
    handler = () => {};
    await until("changed", () => watch.event("DELETED", kubeObject("b", "13")));
    expect(copies.at(-1)).toEqual(["bastion/a"]);
  });

  test("may stop it", async () => {
    const watch = await startWatching();
    handler = () => void reflector.stop();
    await until("changed", () => watch.event("ADDED", b));
    await watch.closed;
    expect(api.untaken).toBe(0);
  });
});

describe("starting and stopping", () => {
  test.each([200, 403])("starting resolves when the first list was answered: %i", async (status) => {
    const started = reflector.start();
    const list = await api.expect("list");
    if (status === 200) list.items([a], "20");
    else list.refuse(status);
    await started;
    expect(nameOf(reflector.condition)).toBe(status === 200 ? "current" : "forbidden");
  });

  test("starting twice makes one watch", async () => {
    void reflector.start();
    const watch = await startWatching();
    void reflector.start();
    await until("changed", () => watch.event("ADDED", b));
    expect(api.untaken).toBe(0);
    expect(api.sockets.size).toBe(1);
  });

  test("stopping ends the watch, tells no error, and leaves nothing", async () => {
    const watch = await startWatching();
    await reflector.stop();
    await watch.closed;
    expect(causes).toEqual([]);
    expect(conditions.map(nameOf)).toEqual(["current"]);
    expect(reported.map(nameOf)).toEqual(["current", undefined]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("stopping while it lists opens no watch afterwards", async () => {
    void reflector.start();
    const list = await api.expect("list");
    await reflector.stop();
    await list.closed;
    await setImmediate();
    expect(api.untaken).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  test("stopping while it waits takes the timer back", async () => {
    void reflector.start();
    const list = await api.expect("list");
    await until("restarted", () => list.refuse(403));
    await reflector.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test("starting again right after stopping works, and only the new watch is left", async () => {
    const watch = await startWatching();
    const stopped = reflector.stop();
    void reflector.start(); // lists, for nobody knows how much later it is
    await stopped;
    await watch.closed;
    const list = await api.expect("list");
    await until("changed", () => list.items([a, b], "30"));
    await api.expect("watch");
    expect(copies.at(-1)).toEqual(["bastion/a", "bastion/b"]);
    expect(api.untaken).toBe(0);
  });
});

describe("listing again", () => {
  test("ends the watch, lists, and resolves when that is done", async () => {
    const watch = await startWatching();
    live();
    const relisted = reflector.relist();
    const list = await api.expect("list");
    await watch.closed;
    list.items([a, b], "40");
    await relisted;
    expect(copies.at(-1)).toEqual(["bastion/a", "bastion/b"]);
    expect(causes).toEqual(["asked"]);
    expect((await api.expect("watch")).get("resourceVersion")).toBe("40");
  });

  test("while a list is under way it takes another one, as the first may be old", async () => {
    void reflector.start();
    const first = await api.expect("list");
    let done = false;
    const relisted = reflector.relist().then(() => {
      done = true;
    });
    await until("changed", () => first.items([a], "20"));
    expect(done).toBe(false);
    (await api.expect("list")).items([b], "21");
    await relisted;
    expect(copies.at(-1)).toEqual(["bastion/b"]);
  });

  test("does not wait for the retry, and resolves when it fails as well", async () => {
    void reflector.start();
    const list = await api.expect("list");
    await until("restarted", () => list.refuse(403));
    const relisted = reflector.relist();
    (await api.expect("list")).refuse(403);
    await relisted;
    expect(nameOf(reflector.condition)).toBe("forbidden");
  });

  test("resolves when it is stopped", async () => {
    await startWatching();
    const relisted = reflector.relist();
    await reflector.stop();
    await relisted;
    await reflector.relist();
  });
});

test("five hundred rounds of faults leave no socket, timer or handle behind", async () => {
  const faults: readonly ((watch: ScriptedRequest) => void)[] = [
    (watch) => watch.reset(),
    (watch) => watch.begin().end(),
    (watch) => watch.refuse(503),
    (watch) => watch.begin().event("ERROR", { code: 500 }),
    (watch) => watch.begin().raw("{oops\n"),
    (watch) => watch.begin().event("ERROR", { code: 410 }),
    (watch) => watch.refuse(403),
  ];
  const seen: { handles: number; timers: number; sockets: number }[] = [];
  await startWatching().then((watch) => until("restarted", () => watch.reset()));
  for (let round = 0; round < 500; round++) {
    const fault = faults[round % faults.length] ?? faults[0];
    clock.advance(clock.nextTimerMs ?? 0);
    const request = await api.next();
    if (request.kind === "list") {
      request.items([a], `1${round}`);
      const watch = await api.expect("watch");
      await until("restarted", () => fault?.(watch));
    } else await until("restarted", () => fault?.(request));
    if (round % 50 === 49)
      seen.push({
        handles: process.getActiveResourcesInfo().length,
        timers: clock.pendingTimers,
        sockets: api.sockets.size,
      });
  }
  for (const { handles, timers, sockets } of seen) {
    expect(timers).toBe(1);
    expect(sockets).toBeLessThanOrEqual(3);
    expect(handles).toBeLessThanOrEqual((seen[0]?.handles ?? 0) + 4);
  }
  await reflector.stop();
  expect(clock.pendingTimers).toBe(0);
});
