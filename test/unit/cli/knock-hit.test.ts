import { createSocket } from "node:dgram";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { sendHit } from "../../../src/cli/knock-hit.ts";

describe("a hit", () => {
  test("by UDP is one NUL byte, from a new port each, in order", async () => {
    const server = createSocket("udp4");
    await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
    const seen: { bytes: string; port: number }[] = [];
    const all = new Promise<void>((resolve) =>
      server.on("message", (bytes, { port }) => {
        seen.push({ bytes: bytes.toString("hex"), port });
        if (seen.length === 3) resolve();
      }),
    );
    for (let hit = 0; hit < 3; hit++) await sendHit("udp", "127.0.0.1", server.address().port);
    await all;
    server.close();
    expect(seen.map(({ bytes }) => bytes)).toEqual(["00", "00", "00"]);
  });

  test("by TCP is not waited for, whether somebody answers, refuses or nobody is there", async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await sendHit("tcp", "127.0.0.1", port);
    await new Promise((resolve) => server.close(resolve));
    await sendHit("tcp", "127.0.0.1", port);
    await sendHit("tcp", "::1", port);
  });

  test("on UDP port 0, which the kernel refuses, is nothing", async () => {
    await sendHit("udp", "127.0.0.1", 0);
  });
});
