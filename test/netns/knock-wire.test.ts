import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, programPath } from "./host.ts";
import type { RunResult } from "./running-process.ts";
import { frameBytes, Sniffer } from "./sniffer.ts";
import { World } from "./world.ts";

const main = programPath("../../dist/main.js");

let world: World;
let server: Host;
let client: Host;

beforeAll(async () => {
  world = await World.build("wire", ["server", "client"]);
  [server, client] = [world.host("server"), world.host("client")];
});

afterAll(() => world?.remove());

/** Debian's own client and ours, with the same arguments. */
const programs = {
  knock: (args: readonly string[]) => client.run("knock", args),
  knockgate: (args: readonly string[]) => client.run(process.execPath, [main, "knock", ...args]),
} as const;

/** What came in at the server while a program ran, the accidental bytes blanked, and how the program ended. */
async function heard(name: keyof typeof programs, args: readonly string[]) {
  const filter = "(tcp or udp) and not port 5353 and not port 46999";
  const sniffer = await Sniffer.start(server, filter, { direction: "in", bytes: true });
  const { code, stdout } = await programs[name](args);
  const frames = (await sniffer.stop()).map((packet) => blanked(frameBytes(packet)));
  return { code, stdout, frames };
}

describe("the packets of knockgate knock are, byte for byte, those of Debian's knock", () => {
  test.each([
    { name: "by TCP", args: ["47001", "47002", "47003"], packets: 3 },
    { name: "by UDP", args: ["-u", "47001", "47002"], packets: 2 },
    { name: "by both in turn", args: ["47001:udp", "47002:tcp", "47003:udp", "47004"], packets: 4 },
    { name: "-u over what the ports say", args: ["-u", "47001:tcp", "47002"], packets: 2 },
    {
      name: "a port twice, a service name, and numbers that wrap",
      args: ["47001", "47001", "ssh", "99999"],
      packets: 4,
    },
    { name: "protocols that are none", args: ["47001:UDP", "47002:", "47003:foo", "47004:udp:tcp"], packets: 4 },
    { name: "with a delay, told", args: ["-v", "-d", "20", "47001", "47002:udp"], packets: 2 },
    {
      name: "32 ports",
      args: Array.from({ length: 32 }, (_, at) => `${47_100 + at}:${at % 3 ? "tcp" : "udp"}`),
      packets: 32,
    },
  ])("$name", async ({ args, packets }) => {
    for (const [address, flag] of [
      [server.ipv4, "-4"],
      [server.ipv6, "-6"],
    ] as const) {
      const theirs = await heard("knock", [flag, address, ...args]);
      const ours = await heard("knockgate", [flag, address, ...args]);
      expect(theirs.frames).toHaveLength(packets);
      expect(ours).toEqual(theirs);
    }
  });
});

test.each([
  { name: "TCP", args: ["47001", "47002", "47003"] },
  { name: "UDP", args: ["-u", "47001", "47002", "47003"] },
  { name: "both in turn", args: ["47001:udp", "47002", "47003:udp", "47004", "47005", "47006:udp", "47007:udp"] },
])("in one burst they are the same in the same order: $name", async ({ args }) => {
  for (const address of [server.ipv4, server.ipv6]) {
    const theirs = await heard("knock", [address, ...args]);
    const twice = ["--tries", "2", "--open", "46999", "--wait", "1100ms"]; // as usual, then in one burst; 46999 is refused
    const ours = await heard("knockgate", [...twice, address, ...args]);
    expect(ours.frames).toEqual([...theirs.frames, ...theirs.frames]);
  }
});

describe("scripts find the same exit code as with Debian's knock, and something on the same streams,", () => {
  test.each([
    { name: "for a negative delay", args: ["-d", "-5", "127.0.0.1", "47001"], code: 1 },
    { name: "for a name that does not resolve", args: ["nobody.invalid", "47001"], code: 1 },
    { name: "for an address of the other family", args: ["-4", "::1", "47001"], code: 1 },
    { name: "for a service that is not known", args: ["127.0.0.1", "no-such-service"], code: 1 },
    { name: "for the version", args: ["-V"], code: 0 },
    { name: "for a delay that is no number", args: ["-d", "soon", "127.0.0.1", "47001"], code: 0 },
    { name: "where nobody can be reached", args: ["198.51.100.1", "47001", "47002:udp"], code: 0 },
    { name: "for UDP port 0, which the kernel refuses", args: ["127.0.0.1", "0:udp"], code: 0 },
  ])("$name", async ({ args, code }) => {
    const [theirs, ours] = await Promise.all([programs.knock(args), programs.knockgate(args)]);
    expect(theirs.code).toBe(code);
    expect(spoken(ours)).toEqual(spoken(theirs));
  });

  test.each([
    { name: "no port: 2, wrong usage", args: ["127.0.0.1"], theirs: 1, ours: 2 },
    { name: "an unknown option: 2, wrong usage", args: ["-x", "127.0.0.1", "1"], theirs: 1, ours: 2 },
    { name: "-h: 0, for it did what it was asked", args: ["-h"], theirs: 1, ours: 0 },
  ])("but on purpose not for $name", async ({ args, theirs, ours }) => {
    expect((await programs.knock(args)).code).toBe(theirs);
    expect((await programs.knockgate(args)).code).toBe(ours);
  });
});

function spoken({ code, stdout, stderr }: RunResult) {
  return { code, speaks: stdout !== "", complains: stderr !== "" };
}

/** Without what differs from one packet to the next: IP identification, flow label, source port, sequence number, time stamp, checksums. */
function blanked(frame: Buffer): string {
  const ip = 14;
  const isIpv6 = (frame[ip] ?? 0) >> 4 === 6;
  if (isIpv6) frame.fill((frame[ip + 1] ?? 0) & 0xf0, ip + 1, ip + 2).fill(0, ip + 2, ip + 4);
  else frame.fill(0, ip + 4, ip + 6).fill(0, ip + 10, ip + 12);
  const transport = ip + (isIpv6 ? 40 : 4 * ((frame[ip] ?? 0) & 0x0f));
  frame.fill(0, transport, transport + 2);
  if (frame[isIpv6 ? ip + 6 : ip + 9] === 17) return frame.fill(0, transport + 6, transport + 8).toString("hex");
  frame.fill(0, transport + 4, transport + 8).fill(0, transport + 16, transport + 18);
  const end = transport + 4 * ((frame[transport + 12] ?? 0) >> 4);
  for (let at = transport + 20; at < end; at += frame[at] === 1 ? 1 : Math.max(2, frame[at + 1] ?? 0))
    if (frame[at] === 8) frame.fill(0, at + 2, at + 10);
  return frame.toString("hex");
}
