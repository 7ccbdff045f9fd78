import { link, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ControlTarget, GrantRow, Watching } from "../../../src/control/control-api.ts";
import { ControlClient } from "../../../src/control/control-client.ts";
import { ControlServer } from "../../../src/control/control-server.ts";
import { type Address, formatAddress } from "../../../src/policy/address.ts";

const row: GrantRow = { source: "192.0.2.11", port: "22/tcp", sequences: ["default/ssh"], leftSeconds: 12 };

class FakeTarget implements ControlTarget {
  readonly revoked: string[] = [];
  readonly watchers = new Set<(event: object) => void>();
  watchedSource: string | undefined;

  async grants(): Promise<readonly GrantRow[]> {
    return [row];
  }

  async revoke(source: Address, sequence: string | undefined): Promise<number> {
    this.revoked.push(`${formatAddress(source)} ${sequence}`);
    return 3;
  }

  async confirm() {
    return { before: "lapsed" } as const;
  }

  watch(source: Address | undefined, show: (event: object) => void): Watching {
    this.watchedSource = source && formatAddress(source);
    this.watchers.add(show);
    return { first: { kind: "watching" }, stop: () => this.watchers.delete(show) };
  }
}

let folder: string;
let path: string;
let target: FakeTarget;
let server: ControlServer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "knockgate-control-"));
  path = join(folder, "run", "agent.sock");
  target = new FakeTarget();
  server = new ControlServer(path, target);
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

test("the socket is root's alone", async () => {
  await server.start();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("grants, revocations and confirmations pass through", async () => {
  await server.start();
  const client = new ControlClient(path);
  expect(await client.grants()).toEqual([row]);
  expect(await client.revoke({ source: "2001:db8::1", sequence: "default/ssh" })).toBe(3);
  expect(target.revoked).toEqual(["2001:db8::1 default/ssh"]);
  expect(await client.confirm()).toEqual({ before: "lapsed" });
});

test.each(["10.1", "example.org", "192.0.2.0/24"])("a revocation of %s is refused", async (source) => {
  await server.start();
  const asked = new ControlClient(path).revoke({ source });
  await expect(asked).rejects.toMatchObject({ code: "refused", message: "source is not an IP address" });
  expect(target.revoked).toEqual([]);
});

test("a watcher sees events of the source asked for, until it leaves", async () => {
  await server.start();
  const leaving = new AbortController();
  const events = new ControlClient(path).watch("192.0.2.11", leaving.signal);
  expect((await events.next()).value).toEqual({ kind: "watching" });
  for (const show of target.watchers) show({ kind: "advanced", step: 1 });
  expect(await events.next()).toEqual({ done: false, value: { kind: "advanced", step: 1 } });
  leaving.abort();
  expect(await events.next()).toMatchObject({ done: true });
  expect(target.watchedSource).toBe("192.0.2.11");
  await expect.poll(() => target.watchers.size).toBe(0);
});

test("a watcher ends when the agent does", async () => {
  await server.start();
  const events = new ControlClient(path).watch(undefined, new AbortController().signal);
  await events.next();
  const next = events.next();
  await server.close();
  await expect(next).rejects.toMatchObject({ code: "no-agent" });
});

test("without an agent the error says what to do", async () => {
  await expect(new ControlClient(path).grants()).rejects.toMatchObject({
    code: "no-agent",
    message: `no agent answers on ${path}: start one, or name its socket with --socket`,
  });
});

test("a socket left behind by a killed agent is taken over; one that is served is not", async () => {
  await server.start();
  const second = new ControlServer(path, target);
  await expect(second.start()).rejects.toThrow(/another agent serves/);
  await server.close();
  const leftBehind = createServer();
  await new Promise<void>((resolve) => leftBehind.listen(path, resolve));
  // Closing the handle without unlinking is what a SIGKILL leaves: Node unlinks on close, so the file is linked anew.
  await link(path, `${path}.kept`);
  await new Promise((resolve) => leftBehind.close(resolve));
  await rename(`${path}.kept`, path);
  await second.start();
  expect(await new ControlClient(path).grants()).toEqual([row]);
  await second.close();
});

test("a file at the socket's place is left alone", async () => {
  const file = join(folder, "policy.yaml");
  await writeFile(file, "precious");
  const misplaced = new ControlServer(file, target);
  await expect(misplaced.start()).rejects.toThrow(/is a file/);
  expect(await readFile(file, "utf8")).toBe("precious");
});
