import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentProcess } from "../netns/agent-process.ts";
import { type Host, programPath } from "../netns/host.ts";
import { startKnockd } from "../netns/knockd-service.ts";
import type { SpoofedPackets } from "../netns/spoofed-packets.ts";
import type { World } from "../netns/world.ts";

/** Whose gate it is. */
export const rivals = ["knockgate", "knockd", "fwknopd"] as const;
export type Rival = (typeof rivals)[number];

/** The port behind every gate. */
export const door = 2200;

/** One packet of a knock. */
export interface KnockPacket {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** UDP payload; default one NUL byte. */
  readonly payload?: string;
}

/** A gate as its users run it: what is sent to it, and what junk it cannot throw away unread. */
export interface RivalGate {
  /** The packets of one right knock by this source. */
  knock(source: string): readonly KnockPacket[];
  readonly junk: readonly SpoofedPackets[];
  /** The agent, where it is ours. */
  readonly agent?: AgentProcess;
}

const steps: readonly KnockPacket[] = [
  { protocol: "udp", port: 7311 },
  { protocol: "tcp", port: 8844 },
  { protocol: "udp", port: 9126 },
];
const spaPort = 62_201;
/** So many sources take part in a flood of junk. */
const crowd = { first: "10.160.0.0", count: 1_000_000 };

/** The policy of our gate. */
export const policy = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: door, namespace: bench }
spec:
  knock: { steps: [${steps.map(({ protocol, port }) => `${port}/${protocol}`).join(", ")}] }
  opens: { ports: [${door}], for: 60s }
`;

/** Starts a rival on a host; resolves when it captures and the port is closed. */
export function beginRival(rival: Rival, world: World, gate: Host, flags: readonly string[]): Promise<RivalGate> {
  switch (rival) {
    case "knockgate":
      return beginKnockgate(world, gate, flags);
    case "knockd":
      return beginKnockd(world, gate);
    case "fwknopd":
      return beginFwknopd(world, gate);
    default:
      return rival satisfies never;
  }
}

async function beginKnockgate(world: World, gate: Host, flags: readonly string[]): Promise<RivalGate> {
  const agent = await AgentProcess.start(world, gate, { policies: policy, args: flags });
  return { knock: () => steps, junk: junkTo(gate, [0, 0, 0, 1]), agent };
}

/** knockd has no table of its own: it gets the one that Knockgate would load, and adds the element that Knockgate adds. */
async function beginKnockd(world: World, gate: Host): Promise<RivalGate> {
  const file = join(world.folder, "door.yaml");
  writeFileSync(file, policy);
  const table = await gate.expect(process.execPath, [programPath("../../dist/main.js"), "ruleset", "--config", file]);
  await gate.expect("nft", ["-f", "-"], { input: table });
  const element = `{ %IP% . tcp . ${door} timeout 60s }`;
  const command = `/usr/sbin/nft add element inet knockgate granted4 ${element}`;
  const sequence = steps.map(({ protocol, port }) => `${port}:${protocol}`).join(",");
  await startKnockd(world, gate, [{ name: "door", sequence, command }]);
  return { knock: () => steps, junk: junkTo(gate, [0]) };
}

/** fwknopd as Debian has it: one authenticated packet, and a rule by iptables. */
async function beginFwknopd(world: World, gate: Host): Promise<RivalGate> {
  const keys = { rijndael: base64Of("k", 32), hmac: base64Of("h", 64) };
  const folder = join(world.folder, "fwknop");
  mkdirSync(folder);
  const write = (name: string, lines: readonly string[]) =>
    writeFileSync(join(folder, name), `${lines.join("\n")}\n`, { mode: 0o600 });
  write("fwknopd.conf", [`PCAP_INTF ${gate.link};`, `FWKNOP_RUN_DIR ${folder};`]);
  write("access.conf", [
    "SOURCE ANY",
    `KEY_BASE64 ${keys.rijndael}`,
    `HMAC_KEY_BASE64 ${keys.hmac}`,
    `OPEN_PORTS tcp/${door}`,
    "FW_ACCESS_TIMEOUT 60",
  ]);
  await gate.expect("iptables", ["-A", "INPUT", "-p", "tcp", "--dport", String(door), "-j", "DROP"]);
  const files = ["-c", join(folder, "fwknopd.conf"), "-a", join(folder, "access.conf")];
  const service = gate.start("fwknopd", ["-f", "-v", ...files]);
  await service.waitForLine("Starting fwknopd main event loop");
  const knock = (source: string) => [
    { protocol: "udp" as const, port: spaPort, payload: spaPacket(folder, source, gate.ipv4, keys) },
  ];
  return { knock, junk: [{ packet: { target: gate.ipv4, protocol: "udp", port: spaPort }, sources: crowd }] };
}

/** Packets that every matcher has to follow: steps of these numbers in turn, from a crowd. */
function junkTo(gate: Host, turn: readonly number[]): readonly SpoofedPackets[] {
  return turn.flatMap((at) => {
    const step = steps[at];
    return step === undefined ? [] : [{ packet: { ...step, target: gate.ipv4, payload: [0] }, sources: crowd }];
  });
}

interface SpaKeys {
  readonly rijndael: string;
  readonly hmac: string;
}

/** A packet is good once, and for two minutes: each is made by the real client just before it is sent. */
function spaPacket(folder: string, source: string, target: string, keys: SpaKeys): string {
  const what = ["-A", `tcp/${door}`, "-a", source, "-D", target, "--test", "--verbose"];
  const secrets = ["--use-hmac", "--key-base64-rijndael", keys.rijndael, "--key-base64-hmac", keys.hmac];
  const own = ["--no-home-dir", "--no-rc-file", "--save-args-file", join(folder, "args")];
  const { stdout, stderr } = spawnSync("fwknop", [...what, ...secrets, ...own], { encoding: "utf8" });
  const text = /Final SPA Data: (\S+)/.exec(stdout)?.[1];
  if (text === undefined) throw new Error(`fwknop made no packet: ${stdout}${stderr}`);
  return text;
}

function base64Of(character: string, bytes: number): string {
  return Buffer.alloc(bytes, character).toString("base64");
}
