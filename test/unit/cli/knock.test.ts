import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { knockCommand } from "../../../src/cli/knock.ts";
import { resolveHost } from "../../../src/cli/knock-host.ts";
import type { KnockArguments } from "../../../src/cli/knock-plan.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { MemoryIo } from "../../fake/memory-io.ts";

const plain: KnockArguments = {
  host: "192.0.2.1",
  ports: ["7000", "8000:udp", "9000/tcp"],
  udp: false,
  delay: undefined,
  family: undefined,
  verbose: false,
  open: undefined,
  waitMs: undefined,
  tries: undefined,
  exec: undefined,
  profiles: undefined,
};

/** Who answers when it is waited for, and what names resolve to. */
interface Elsewhere {
  readonly answers?: { readonly address: string; readonly afterMs: number };
  readonly names?: Readonly<Record<string, readonly string[]>>;
  readonly exitCode?: number;
}

/** Knocks in a world that only notes what would happen. */
async function knock(changes: Partial<KnockArguments>, { answers, names = {}, exitCode = 0 }: Elsewhere = {}) {
  const io = new MemoryIo();
  const clock = new FakeClock();
  const done: string[] = [];
  const code = await knockCommand({ ...plain, ...changes }, io, {
    clock,
    resolve: async (host, family) => names[host] ?? resolveHost(host, family),
    send: async (protocol, address, port) => void done.push(`${protocol} ${address} ${port}`),
    sendBurst: async (address, hits) =>
      void done.push(`burst ${hits.map(({ protocol, port }) => `${protocol} ${address} ${port}`).join(", ")}`),
    sleep: async (delayMs) => void done.push(`sleep ${delayMs}`),
    waitForPort: async (addresses, port, waitMs) => {
      done.push(`wait ${addresses.join(" or ")} ${port} ${waitMs}`);
      const found = addresses.find((address) => address === answers?.address);
      clock.advance(found === undefined ? waitMs : (answers?.afterMs ?? 0));
      return found;
    },
    run: async (command, env) => {
      done.push(`run ${command} with ${Object.values(env).join(" ")}`);
      return exitCode;
    },
  });
  return { code, done, out: io.out, err: io.err };
}

const answersSoon = { answers: { address: "192.0.2.1", afterMs: 23.456 } };

describe("knock", () => {
  test("hits every port in the order given, and says nothing", async () => {
    expect(await knock({})).toEqual({
      code: 0,
      done: ["tcp 192.0.2.1 7000", "udp 192.0.2.1 8000", "tcp 192.0.2.1 9000"],
      out: "",
      err: "",
    });
  });

  test.each([{ host: "" }, { host: "[]" }])("of no host ($host) sends nothing", async ({ host }) => {
    expect(await knock({ host })).toEqual({ code: 1, done: [], out: "", err: "error: The host is empty: name one.\n" });
  });

  test("does not wait for port 0, which never answers", async () => {
    const { code, done, err } = await knock({ open: "0" });
    expect({ code, done }).toEqual({ code: 1, done: [] });
    expect(err).toContain("--open");
  });

  test("waits after every hit, the last one too", async () => {
    expect((await knock({ delay: "200", ports: ["1", "2"] })).done).toEqual([
      "tcp 192.0.2.1 1",
      "sleep 200",
      "tcp 192.0.2.1 2",
      "sleep 200",
    ]);
  });

  test.each([
    { delay: "soon", sleeps: [] },
    { delay: "", sleeps: [] },
    { delay: "5x", sleeps: ["sleep 5"] },
    { delay: " 7", sleeps: ["sleep 7"] },
  ])("reads the delay `$delay` as atoi does", async ({ delay, sleeps }) => {
    expect((await knock({ delay, ports: ["1"] })).done.slice(1)).toEqual(sleeps);
  });

  test("refuses a negative delay before anything is sent", async () => {
    expect(await knock({ delay: "-1" })).toEqual({
      code: 1,
      done: [],
      out: "",
      err: "error: delay cannot be negative\n",
    });
  });

  test.each([
    { text: "7000", udp: false, sent: "tcp 192.0.2.1 7000" },
    { text: "7000:tcp", udp: false, sent: "tcp 192.0.2.1 7000" },
    { text: "7000:udp", udp: false, sent: "udp 192.0.2.1 7000" },
    { text: "7000/udp", udp: false, sent: "udp 192.0.2.1 7000" },
    { text: "7000/tcp", udp: false, sent: "tcp 192.0.2.1 7000" },
    { text: "7000:UDP", udp: false, sent: "tcp 192.0.2.1 7000" },
    { text: "7000:", udp: false, sent: "tcp 192.0.2.1 7000" },
    { text: "7000:foo", udp: false, sent: "tcp 192.0.2.1 7000" },
    { text: "7000:udp:tcp", udp: false, sent: "tcp 192.0.2.1 7000" },
    { text: "7000:tcp", udp: true, sent: "udp 192.0.2.1 7000" },
    { text: "99999", udp: false, sent: "tcp 192.0.2.1 34463" },
    { text: "ssh", udp: false, sent: "tcp 192.0.2.1 22" },
  ])("reads $text (-u: $udp)", async ({ text, udp, sent }) => {
    expect((await knock({ ports: [text], udp })).done).toEqual([sent]);
  });

  test.each([
    {
      name: "a protocol that policies do not have",
      changes: { ports: ["7000/sctp"] },
      says: /"7000\/sctp" is no port/,
    },
    {
      name: "a name that is no service",
      changes: { ports: ["no-such-service"] },
      says: /neither a port nor a service/,
    },
    {
      name: "an address of the other family",
      changes: { family: 6 as const },
      says: /192\.0\.2\.1 is not an IPv6 address/,
    },
    { name: "waiting for UDP", changes: { open: "53/udp" }, says: /can only wait for a TCP port/ },
  ])("fails for $name", async ({ changes, says }) => {
    const { code, err } = await knock(changes);
    expect(code).toBe(1);
    expect(err).toMatch(says);
  });

  test("takes IPv6 literals with and without brackets, and shows hits when asked", async () => {
    for (const host of ["2001:db8::1", "[2001:db8::1]"]) {
      const { done, out } = await knock({ host, ports: ["7000:udp"], verbose: true });
      expect(done).toEqual(["udp 2001:db8::1 7000"]);
      expect(out).toBe("hitting udp 2001:db8::1:7000\n");
    }
  });

  test("--open tells how long the port took to answer", async () => {
    expect(await knock({ ports: ["1"], open: "22" }, answersSoon)).toMatchObject({
      code: 0,
      done: ["tcp 192.0.2.1 1", "wait 192.0.2.1 22 10000"],
      out: "22/tcp answered after 23.5 ms\n",
    });
  });

  test("--open fails when the port never answers, without naming what was knocked on", async () => {
    const { code, err, out } = await knock({ ports: ["7123"], open: "22", waitMs: 1500 });
    expect(code).toBe(1);
    expect(err).toMatch(/^error: 22\/tcp did not answer within 1\.5 s/);
    expect(err + out).not.toContain("7123");
  });

  test("--tries knocks again while the port is silent, every other time in one burst", async () => {
    const { code, done } = await knock({ ports: ["1", "2:udp"], delay: "50", open: "22", tries: "4", waitMs: 3500 });
    const usual = ["tcp 192.0.2.1 1", "sleep 50", "udp 192.0.2.1 2", "sleep 50"];
    const burst = "burst tcp 192.0.2.1 1, udp 192.0.2.1 2";
    const wait = (ms: number) => `wait 192.0.2.1 22 ${ms}`;
    expect(done).toEqual([...usual, wait(1000), burst, wait(1000), ...usual, wait(1000), burst, wait(500)]);
    expect(code).toBe(1);
  });

  test("--tries ends when the port answers, or the time has run out", async () => {
    const answered = await knock({ ports: ["1"], open: "22", tries: "4" }, answersSoon);
    expect(answered.done).toEqual(["tcp 192.0.2.1 1", "wait 192.0.2.1 22 1000"]);
    const late = await knock({ ports: ["1"], open: "22", tries: "4", waitMs: 1000 });
    expect(late.done).toEqual(["tcp 192.0.2.1 1", "wait 192.0.2.1 22 1000"]);
  });

  test("--tries has a second for each where nothing else is said", async () => {
    expect((await knock({ ports: ["1"], open: "22", tries: "30" })).err).toContain("within 30 s");
  });

  test.each([
    { changes: { tries: "3" }, says: /^error: --tries .* name that port with --open\.\n$/ },
    { changes: { open: "22", tries: "0" }, says: /^error: --tries: "0" is no number/ },
    { changes: { open: "22", tries: "soon" }, says: /^error: --tries: "soon" is no number/ },
  ])("refuses $changes before anything is sent", async ({ changes, says }) => {
    const { code, done, err } = await knock(changes);
    expect([code, done]).toEqual([1, []]);
    expect(err).toMatch(says);
  });

  test("sends nothing when one of the ports is not known", async () => {
    expect((await knock({ ports: ["7000", "no-such-service"] })).done).toEqual([]);
  });
});

describe("a host with several addresses", () => {
  const names = { "two.example": ["2001:db8::1", "192.0.2.1"] };

  test("is knocked on at its first address, as knockd's client does", async () => {
    const { done } = await knock({ host: "two.example", ports: ["1", "2"] }, { names });
    expect(done).toEqual(["tcp 2001:db8::1 1", "tcp 2001:db8::1 2"]);
  });

  test("is knocked on at the next one with --open when the first stays silent for a second", async () => {
    const answered = await knock({ host: "two.example", ports: ["1"], open: "22" }, { names, ...answersSoon });
    expect(answered).toMatchObject({
      code: 0,
      done: [
        "tcp 2001:db8::1 1",
        "wait 2001:db8::1 22 1000",
        "tcp 192.0.2.1 1",
        "wait 2001:db8::1 or 192.0.2.1 22 9000",
      ],
      out: "22/tcp of 192.0.2.1 answered after 1023.5 ms\n",
    });
  });

  test("is given up when the time has run out at all of them", async () => {
    const { code, err } = await knock({ host: "two.example", ports: ["1"], open: "22", waitMs: 500 }, { names });
    expect(code).toBe(1);
    expect(err).toMatch(/^error: 22\/tcp did not answer within 0\.5 s/);
  });
});

describe("--exec", () => {
  const asked = { ports: ["1"], open: "22", exec: "ssh it" };

  test("runs its command when the port is open, leaves standard output to it, and ends with its exit code", async () => {
    expect(await knock(asked, { ...answersSoon, exitCode: 42 })).toEqual({
      code: 42,
      done: ["tcp 192.0.2.1 1", "wait 192.0.2.1 22 10000", "run ssh it with 192.0.2.1 192.0.2.1 22"],
      out: "",
      err: "",
    });
  });

  test("with -v tells what knock does on standard error", async () => {
    expect(await knock({ ...asked, verbose: true }, answersSoon)).toMatchObject({
      out: "",
      err: "hitting tcp 192.0.2.1:1\n22/tcp answered after 23.5 ms\n",
    });
  });

  test("runs nothing when the port stays closed", async () => {
    const { code, done } = await knock(asked);
    expect(code).toBe(1);
    expect(done.join()).not.toContain("run");
  });

  test("needs a port to wait for", async () => {
    const { code, err } = await knock({ ports: ["1"], exec: "ssh it" });
    expect(code).toBe(1);
    expect(err).toMatch(/^error: --exec .* name that port with --open\.\n$/);
  });
});

describe("a profile", () => {
  const folder = mkdtempSync(join(tmpdir(), "knock-profiles-"));
  const profiles = join(folder, "profiles.yaml");
  afterAll(() => rmSync(folder, { recursive: true }));
  writeFileSync(
    profiles,
    "profiles:\n  bastion: { host: 192.0.2.1, steps: [7000/udp, 8000], delay: 50ms, open: 22, wait: 3s, family: IPv4 }\n",
    { mode: 0o600 },
  );

  test("says where to knock, on what, how fast, and what to wait for", async () => {
    expect(await knock({ host: "@bastion", ports: [], profiles }, answersSoon)).toMatchObject({
      code: 0,
      done: ["udp 192.0.2.1 7000", "sleep 50", "tcp 192.0.2.1 8000", "sleep 50", "wait 192.0.2.1 22 3000"],
    });
  });

  test("gives way to the command line", async () => {
    const changes = { host: "@bastion", ports: [], profiles, delay: "0", open: "443", waitMs: 100, udp: true };
    expect((await knock(changes, answersSoon)).done).toEqual([
      "udp 192.0.2.1 7000",
      "udp 192.0.2.1 8000",
      "wait 192.0.2.1 443 100",
    ]);
    expect((await knock({ ...changes, family: 6 })).err).toContain("is not an IPv6 address");
  });

  test("of another name is not made up", async () => {
    const { code, done, err } = await knock({ host: "@bastoin", ports: [], profiles });
    expect({ code, done }).toEqual({ code: 1, done: [] });
    expect(err).toBe(`error: ${profiles} has no profile "bastoin": did you mean @bastion?\n`);
  });
});
