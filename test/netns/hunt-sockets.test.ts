import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Host, programPath } from "./host.ts";
import { Sniffer } from "./sniffer.ts";
import { World } from "./world.ts";

const main = programPath("../../dist/main.js");
let world: World;
let host: Host;

beforeAll(async () => {
  world = await World.build("sockets", ["host", "other"]);
  host = world.host("host");
});

afterAll(() => world?.remove());

async function sockets(): Promise<{ code: number | undefined; found: readonly Record<string, unknown>[] }> {
  const { code, stdout } = await host.run(process.execPath, [main, "hunt", "--sockets", "-o", "json"]);
  return {
    code,
    found: stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  };
}

test("lists who sees packets, knows tcpdump, and points at the same program under another name elsewhere", async () => {
  expect(await sockets()).toEqual({ code: 0, found: [] });
  const sniffer = await Sniffer.start(host, "udp port 7000");
  const known = await sockets();
  expect(known).toMatchObject({
    code: 0,
    found: [{ known: true, why: "somebody is looking", kind: "packet", uid: 0 }],
  });
  const implant = join(world.folder, "dbus-daemon");
  copyFileSync("/usr/bin/tcpdump", implant);
  chmodSync(implant, 0o755);
  const hidden = host.start(implant, ["-i", host.link, "-Z", "root", "-w", "/dev/null", "udp", "port", "62201"]);
  await hidden.waitForLine("listening on");
  const { code, found } = await sockets();
  expect(code).toBe(1);
  expect(found).toMatchObject([{ known: false, executable: implant }, { known: true }]);
  expect(found[0]?.filter).toContainEqual(expect.stringContaining("jeq #0xf2f9 ")); // 62201
  expect(Math.abs(Date.parse(String(found[0]?.since)) - Date.now())).toBeLessThan(120_000);
  await sniffer.stop();
});
