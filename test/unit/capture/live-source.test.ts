import { describe, expect, test } from "vitest";
import { parseChildMessage } from "../../../src/capture/child-messages.ts";
import type { LinkStates } from "../../../src/capture/link-watch.ts";
import { LiveSource } from "../../../src/capture/live-source.ts";
import type { LinkState } from "../../../src/capture/packet-source.ts";
import { parseAddress } from "../../../src/policy/address.ts";
import { CaptureRecord } from "../../fake/capture-record.ts";
import { FakeChildStarter } from "../../fake/fake-capture-child.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { watchOf } from "../../fixture/capture-watch.ts";

/** Links that a test sets. */
class FakeLinks implements LinkStates {
  state: LinkState | undefined;
  readonly #listeners = new Set<(state: LinkState) => void>();

  subscribe(listener: (state: LinkState) => void): () => void {
    this.#listeners.add(listener);
    if (this.state !== undefined) listener(this.state);
    return () => this.#listeners.delete(listener);
  }

  use(names: readonly string[], addresses: readonly string[] = ["192.0.2.10"], falls = 0): void {
    const links = names.map((name, at) => ({
      name,
      index: at + 2,
      up: true,
      loopback: false,
      hardware: "ether",
      falls,
    }));
    this.state = { links, localAddresses: addresses.flatMap((text) => parseAddress(text) ?? []), exemptAddresses: [] };
    for (const listener of this.#listeners) listener(this.state);
  }
}

function setUp(interfaces: readonly string[] = []) {
  const [clock, report, links, starter] = [
    new FakeClock(),
    new CaptureRecord(),
    new FakeLinks(),
    new FakeChildStarter(),
  ];
  links.use(["eth0"]);
  const source = new LiveSource({ interfaces, clock, report, links, starter });
  const knocks: number[] = [];
  const start = () => source.start(watchOf(["7000/tcp"]), (knock) => knocks.push(knock.sequenceNumber));
  return { clock, report, links, starter, source, knocks, start };
}

async function running(interfaces: readonly string[] = []) {
  const made = setUp(interfaces);
  const started = made.start();
  made.starter.last.ready();
  await started;
  return made;
}

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<void>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  return settled;
}

describe("start and update", () => {
  test("start resolves when the child is ready, with the taps told", async () => {
    const { start, starter, report } = setUp();
    const started = start();
    expect(await isSettled(started)).toBe(false);
    expect(starter.last.filters[0]).toMatch(/^eth0: .*= 7000/);
    starter.last.ready();
    await started;
    expect(report.states.at(-1)).toEqual({ interfaces: ["eth0"], waitingFor: [] });
    expect(report.restarts).toEqual([]);
  });

  test("start resolves at once when no interface is there, and it is waited for", async () => {
    const { start, starter, report, links } = setUp(["late0"]);
    await start();
    expect(starter.children).toHaveLength(0);
    expect(report.states.at(-1)).toEqual({ interfaces: [], waitingFor: ["late0"] });
    links.use(["eth0", "late0"]);
    starter.last.ready();
    expect(report.states.at(-1)).toEqual({ interfaces: ["late0"], waitingFor: [] });
  });

  test("an update of the same filter goes to the running child and resolves with its answer", async () => {
    const { source, starter } = await running();
    const updated = source.update(watchOf(["7000/tcp"], ["203.0.113.0/24"]));
    expect(await isSettled(updated)).toBe(false);
    expect(starter.children).toHaveLength(1);
    starter.last.alive();
    await updated;
  });

  test("another filter: the new child is ready before the old one ends, and both deliver each packet once", async () => {
    const { source, starter, knocks, report } = await running();
    const [old] = starter.children;
    const updated = source.update(watchOf(["7000/tcp", "8000/tcp"]));
    old?.alive();
    expect(await isSettled(updated)).toBe(false);
    for (const sequenceNumber of [1, 2]) old?.knock(sequenceNumber);
    expect(old?.running).toBe(true);
    starter.last.knock(2);
    starter.last.ready();
    await updated;
    expect(old?.running).toBe(false);
    starter.last.knock(3);
    expect(knocks).toEqual([1, 2, 3]);
    expect([report.discards, report.restarts]).toEqual([{ duplicate: 1 }, ["reload"]]);
  });

  test("changes that come while a child starts are made up for when it is ready", async () => {
    const { source, starter } = await running();
    void source.update(watchOf(["7000/tcp", "8000/tcp"]));
    const last = source.update(watchOf(["7000/tcp", "9000/tcp"]));
    expect(starter.children).toHaveLength(2);
    starter.last.ready();
    expect(starter.children).toHaveLength(3);
    expect(await isSettled(last)).toBe(false);
    starter.last.ready();
    await last;
    expect(starter.last.filters[0]).toContain("9000");
  });
});

describe("links", () => {
  test("a new address goes to the running child, a new link to a new one", async () => {
    const { links, starter, report } = await running();
    links.use(["eth0"], ["192.0.2.10", "192.0.2.11"]);
    expect(starter.children).toHaveLength(1);
    expect(starter.last.heard.at(-1)).toMatchObject({
      kind: "check",
      check: { local: [expect.anything(), expect.anything()] },
    });
    links.use(["eth0", "eth1"]);
    starter.last.ready();
    expect(report.states.at(-1)?.interfaces).toEqual(["eth0", "eth1"]);
    expect(report.restarts).toEqual(["link"]);
  });

  test("a link that was down for a moment gets another child, though it is up again", async () => {
    const { links, starter, report } = await running();
    links.use(["eth0"], undefined, 1);
    starter.last.ready();
    expect([starter.children.length, report.restarts]).toEqual([2, ["link"]]);
    links.use(["eth0"], undefined, 1);
    expect(starter.children).toHaveLength(2);
  });

  test("a link asked for by name that was down, or made again, is missing until another child has opened it", async () => {
    const { links, starter, report } = await running(["eth0"]);
    links.use(["eth0"], undefined, 1);
    expect(report.states.at(-1)).toEqual({ interfaces: [], waitingFor: ["eth0"] });
    links.use(["lo", "eth0"], undefined, 1);
    starter.last.ready();
    expect(report.states.at(-1)).toEqual({ interfaces: [], waitingFor: ["eth0"] });
    starter.last.ready();
    expect(report.states.at(-1)).toEqual({ interfaces: ["eth0"], waitingFor: [] });
  });

  test("without any link left there is no child, and updates do not wait", async () => {
    const { links, starter, report, source } = await running();
    links.use([]);
    expect(starter.last.running).toBe(false);
    expect(report.states.at(-1)?.interfaces).toEqual([]);
    await source.update(watchOf(["1/tcp"]));
  });

  test("a link that cannot be opened is told and tried again, not for ever", async () => {
    const { starter, report, clock, links } = setUp();
    links.use(["eth0", "odd0"]);
    const source = new LiveSource({ interfaces: [], clock, report, links, starter });
    void source.start(watchOf(["7000/tcp"]), () => {});
    for (let second = 0; second < 60; second++) {
      if (starter.last.heard.length > 0 && starter.last.running)
        starter.last.ready({ opened: ["eth0"], failed: ["Cannot capture on odd0: odd."] });
      for (const child of starter.children) if (child.running) child.alive();
      clock.advance(1000);
      for (const child of starter.children) if (child.running) child.alive();
    }
    expect(report.warnings.filter((text) => text.includes("odd0"))).toHaveLength(1);
    expect(starter.children.length).toBeLessThan(20);
    await source.close();
  });
});

describe("a child that fails", () => {
  test.each([
    { name: "is killed", fail: (starter: FakeChildStarter) => starter.last.close(null, "SIGKILL"), cause: "killed" },
    { name: "crashes", fail: (starter: FakeChildStarter) => starter.last.close(134, null), cause: "crash" },
    {
      name: "writes garbage",
      fail: (starter: FakeChildStarter) => starter.last.write(Buffer.alloc(64)),
      cause: "error",
    },
    { name: "says nonsense", fail: (starter: FakeChildStarter) => starter.last.tell({ kind: "what" }), cause: "error" },
  ])("because it $name is replaced after 100 ms", async ({ fail, cause }) => {
    const { starter, clock, report, knocks } = await running();
    fail(starter);
    expect(report.states.at(-1)?.interfaces).toEqual([]);
    clock.advance(99);
    expect(starter.children).toHaveLength(1);
    clock.advance(1);
    starter.last.ready();
    expect(report.restarts).toEqual([cause]);
    expect(report.states.at(-1)?.interfaces).toEqual(["eth0"]);
    starter.last.knock(1);
    expect(knocks).toEqual([1]);
  });

  test("because it is silent is asked, ended when it does not answer, and replaced", async () => {
    const { starter, clock, report } = await running();
    clock.advance(1549);
    expect(starter.last.running).toBe(true);
    expect(starter.last.heard.at(-1)).toMatchObject({ kind: "answer" });
    clock.advance(1);
    expect(starter.last.running).toBe(false);
    clock.advance(100);
    expect([starter.children.length, report.restarts]).toEqual([2, ["hung"]]);
  });

  test("because it does not answer, though it lives, is ended too", async () => {
    const { starter, clock, report, source } = await running();
    void source.update(watchOf(["7000/tcp"], ["203.0.113.0/24"]));
    for (let tick = 0; tick < 20; tick++) {
      starter.children[0]?.knock(tick);
      clock.advance(100);
    }
    expect(report.restarts).toEqual(["hung"]);
  });

  test("because its link went down serves on until another one is ready", async () => {
    const { starter, knocks, report } = await running();
    const [old] = starter.children;
    old?.tell({ kind: "fault", cause: "link", message: "The link went down." });
    old?.knock(1);
    starter.last.ready();
    expect([knocks, old?.running, report.restarts]).toEqual([[1], false, ["link"]]);
    expect(report.warnings).toEqual(["The link went down."]);
  });

  test("at every start is tried less and less often, and start does not wait for ever", async () => {
    const { start, starter, clock, report } = setUp();
    const started = start();
    starter.last.tell({ kind: "fault", cause: "error", message: "Cannot capture on eth0: not permitted." });
    await started;
    for (let ms = 0; ms < 10_000; ms += 100) {
      if (starter.last.running) starter.last.close(1, null);
      clock.advance(100);
    }
    expect(starter.children.length).toBeLessThan(10);
    expect(report.warnings[0]).toContain("not permitted");
  });

  test("because nothing can be captured: the reason stands with the state as long as that is so", async () => {
    const { start, starter, clock, report } = setUp();
    void start();
    for (let child = 0; child < 4; child++) {
      starter.last.tell({ kind: "fault", cause: "error", message: "Cannot capture on eth0: not permitted." });
      expect(report.troubles.at(-1)).toContain("Cannot capture on eth0: not permitted.");
      starter.last.close(1, null);
      clock.advance(1000);
      expect(starter.children).toHaveLength(child + 2);
      expect(report.troubles.at(-1)).toContain("Cannot capture on eth0: not permitted.");
    }
    starter.last.ready();
    expect(report.troubles.at(-1)).toBeUndefined();
  });

  test("a privilege that it keeps is told once", async () => {
    const { starter, clock, report } = setUp();
    const source = new LiveSource({
      interfaces: ["any"],
      clock,
      report,
      links: Object.assign(new FakeLinks(), { state: { links: [], localAddresses: [], exemptAddresses: [] } }),
      starter,
    });
    void source.start(watchOf(["7000/tcp"]), () => {});
    starter.last.ready({ kept: "It keeps its privileges." });
    starter.last.close(null, "SIGKILL");
    clock.advance(100);
    starter.last.ready({ kept: "It keeps its privileges." });
    expect(report.warnings.filter((text) => text.includes("privileges"))).toHaveLength(1);
    await source.close();
  });
});

describe("close", () => {
  test("ends the child, twice is once, and nothing follows", async () => {
    const { source, starter, clock } = await running();
    await source.close();
    await source.close();
    clock.advance(60_000);
    expect([starter.children.length, starter.last.running]).toEqual([1, false]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("what a child says", () => {
  test.each([
    undefined,
    null,
    3,
    "ready",
    {},
    { kind: "ready" },
    { kind: "ready", opened: [1], failed: [] },
    { kind: "fault", cause: "fire", message: "x" },
  ])("%o is nothing", (message) => {
    expect(parseChildMessage(message)).toBeUndefined();
  });

  test("is cut and made printable", () => {
    const message = parseChildMessage({ kind: "fault", cause: "error", message: `a\u001b[31mb${"x".repeat(9999)}` });
    expect(message).toMatchObject({ message: expect.stringMatching(/^a \[31mbx+$/) });
    expect(JSON.stringify(message).length).toBeLessThan(600);
  });
});
