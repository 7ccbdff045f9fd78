import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { waitForPort } from "../../../src/cli/knock-open.ts";
import { systemClock } from "../../../src/clock.ts";

test("a port that answers is reported at once", async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  expect(await waitForPort(["127.0.0.1"], port, 5000, systemClock)).toBe("127.0.0.1");
  server.close();
});

test("a port that answers later is found", async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const waiting = waitForPort(["127.0.0.1"], port, 5000, systemClock);
  setImmediate(() => server.listen(port, "127.0.0.1"));
  expect(await waiting).toBe("127.0.0.1");
  server.close();
});

test("a port that refuses is given up after the time", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  expect(await waitForPort(["127.0.0.1"], port, 100, systemClock)).toBeUndefined();
});

test("of several addresses the one that answers is told", async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.2", resolve));
  const { port } = server.address() as AddressInfo;
  expect(await waitForPort(["127.0.0.1", "127.0.0.2"], port, 5000, systemClock)).toBe("127.0.0.2");
  server.close();
});
