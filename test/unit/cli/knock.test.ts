import { describe, expect, test } from "vitest";
import { type KnockArguments, knockCommand } from "../../../src/cli/knock.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { MemoryIo } from "../../fake/memory-io.ts";

const plain: KnockArguments = {
  host: "192.0.2.1",
  ports: ["7000", "8000:udp", "9000/tcp"],
  udp: false,
  delay: "0",
  family: undefined,
  verbose: false,
  open: undefined,
  waitMs: 10_000,
};

/** Knocks in a world that only notes what would happen. */
async function knock(changes: Partial<KnockArguments>, answersAfterMicros?: number) {
  const io = new MemoryIo();
  const done: string[] = [];
  const code = await knockCommand({ ...plain, ...changes }, io, {
    clock: new FakeClock(),
    send: async (protocol, address, port) => void done.push(`${protocol} ${address} ${port}`),
    sleep: async (delayMs) => void done.push(`sleep ${delayMs}`),
    waitForPort: async (address, port, waitMs) => {
      done.push(`wait ${address} ${port} ${waitMs}`);
      return answersAfterMicros;
    },
  });
  return { code, done, out: io.out, err: io.err };
}

describe("knock", () => {
  test("hits every port in the order given, and says nothing", async () => {
    expect(await knock({})).toEqual({
      code: 0,
      done: ["tcp 192.0.2.1 7000", "udp 192.0.2.1 8000", "tcp 192.0.2.1 9000"],
      out: "",
      err: "",
    });
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
    expect(await knock({ ports: ["1"], open: "22" }, 23_456)).toMatchObject({
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
});
