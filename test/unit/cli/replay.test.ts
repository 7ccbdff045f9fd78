import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CommandIo } from "../../../src/cli/command-io.ts";
import { replayCommand } from "../../../src/cli/replay.ts";
import { ethernet, packet } from "../../fixture/capture-frames.ts";

const policy = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ssh, namespace: bastion }
spec:
  knock: { steps: [7000, 8000/udp, 9000], within: 15s }
  opens: { ports: [22/tcp], for: 30s }
  closedBy: { steps: [9500, 9600, 9400] }
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "knockgate-replay-"));
  await writeFile(join(folder, "ssh.yaml"), policy);
});
afterEach(() => rm(folder, { recursive: true }));

/** A pcap file of Ethernet frames, `[seconds, microseconds, frame]` each. */
function savefile(frames: readonly (readonly [number, number, Uint8Array])[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65535, 16);
  head.writeUInt32LE(1, 20);
  return Buffer.concat([
    head,
    ...frames.flatMap(([seconds, micros, frame]) => [record(seconds, micros, frame), frame]),
  ]);
}

function record(seconds: number, micros: number, frame: Uint8Array): Buffer {
  const words = Buffer.alloc(16);
  for (const [at, value] of [seconds, micros, frame.length, frame.length].entries()) words.writeUInt32LE(value, 4 * at);
  return words;
}

/** Knocks of a source on ports in order, a second apart. */
function knocking(source: string, target: string, ports: readonly number[]) {
  return ports.map((port, at) => {
    const protocol = port === 8000 ? ("udp" as const) : ("tcp" as const);
    const parts = { source, target, protocol, port, sourcePort: 40_000 + at, flags: 2, sequenceNumber: at };
    return [1_700_000_000 + at, 123_456, ethernet(packet(parts))] as const;
  });
}

async function run(
  frames: Parameters<typeof savefile>[0],
  { cutBytes = 0, ...changes }: Partial<Parameters<typeof replayCommand>[0]> & { readonly cutBytes?: number } = {},
) {
  const file = join(folder, "knocks.pcap");
  const bytes = savefile(frames);
  await writeFile(file, bytes.subarray(0, bytes.length - cutBytes));
  const [out, err]: [string[], string[]] = [[], []];
  const io: CommandIo = {
    stdout: { write: (text) => void out.push(text), isTty: false },
    stderr: { write: (text) => void err.push(text), isTty: true },
    env: {},
    interrupted: new AbortController().signal,
    inputEnded: new AbortController().signal,
  };
  const args = {
    file,
    configs: [join(folder, "ssh.yaml")],
    knockdConfs: [],
    locals: [],
    output: "json" as const,
    ...changes,
  };
  return { code: await replayCommand(args, io), out: out.join(""), err: err.join("") };
}

describe("replay", () => {
  const knocks = knocking("198.51.100.7", "192.0.2.10", [7000, 8000, 9000]);

  test("prints who would have been let in, one object a line, with the time of the last knock", async () => {
    const { code, out } = await run([...knocks, ...knocking("198.51.100.8", "192.0.2.10", [8000, 7000, 9000])]);
    expect(out).toBe('{"at":"2023-11-14T22:13:22.123456Z","source":"198.51.100.7","sequence":"bastion/ssh"}\n');
    expect(code).toBe(0);
  });

  test("prints a table for people", async () => {
    const { out } = await run(knocks, { output: "table" });
    expect(out.split("\n")).toEqual([
      "AT                           SOURCE        SEQUENCE",
      "2023-11-14T22:13:22.123456Z  198.51.100.7  bastion/ssh",
      "",
    ]);
  });

  test("counts only packets to local addresses where these are given", async () => {
    const elsewhere = { locals: [Uint32Array.of(0, 0, 0xffff, 0xc000020b)] };
    const { code, out, err } = await run(knocks, elsewhere);
    expect([code, out, err]).toEqual([0, "", "Nobody would have been let in by 3 packets.\n"]);
    expect((await run(knocks, { locals: [Uint32Array.of(0, 0, 0xffff, 0xc000020a)] })).out).not.toBe("");
  });

  test("follows the doors of a knockd.conf, whatever the file is called", async () => {
    await writeFile(join(folder, "doors"), "[ssh]\nsequence = 7000,8000:udp,9000\ncommand = /bin/true\n");
    const { code, out, err } = await run(knocks, { configs: [], knockdConfs: [join(folder, "doors")] });
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain('"source":"198.51.100.7","sequence":"knockd/ssh"');
  });

  test("does not list those who closed a door", async () => {
    const { out } = await run(knocking("198.51.100.7", "192.0.2.10", [9500, 9600, 9400]));
    expect(out).toBe("");
  });

  test("follows IPv6", async () => {
    const { out } = await run(knocking("2001:db8::7", "2001:db8::10", [7000, 8000, 9000]));
    expect(out).toContain('"source":"2001:db8::7"');
  });

  test("shows a person how far it is", async () => {
    const frame = ethernet(packet({ port: 1 }));
    const { err } = await run(Array.from({ length: 100_000 }, () => [1, 1, frame] as const));
    expect(err).toContain("100 thousand packets read");
  });

  test("says that a capture was cut off, and follows what is there", async () => {
    const whole = await run(knocks);
    expect(whole.err).toBe("");
    const { code, out, err } = await run([...knocks, ...knocks.slice(0, 1)], { cutBytes: 5 });
    expect([code, out]).toEqual([0, whole.out]);
    expect(err).toBe(
      "knocks.pcap ends inside a packet: whatever wrote it was cut off, and later packets are missing.\n",
    );
  });

  test("fails where a policy file is missing, or none of the policies is accepted", async () => {
    const missing = await run(knocks, { configs: [join(folder, "none.yaml")] });
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining("does not exist")]);
    await writeFile(join(folder, "ssh.yaml"), policy.replace("15s", "soon"));
    const rejected = await run(knocks);
    expect([rejected.code, rejected.out]).toEqual([1, ""]);
    expect(rejected.err).toMatch(/ssh\.yaml:\d+: spec\.knock\.within: /);
  });

  test("rejects with a sentence where the capture cannot be read", async () => {
    await expect(run(knocks, { file: join(folder, "none.pcap") })).rejects.toThrow("The capture file cannot be read");
  });
});
