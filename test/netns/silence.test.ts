import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../src/policy/compile.ts";
import { portOfKey } from "../../src/policy/port.ts";
import { AgentProcess } from "./agent-process.ts";
import { disclosures } from "./disclosure.ts";
import type { Host } from "./host.ts";
import { type Probe, Prober } from "./prober.ts";
import type { RunningProcess } from "./running-process.ts";
import type { WirePacket } from "./wire-frame.ts";
import { World } from "./world.ts";

const steps = ["17312/tcp", "18845/udp", "19127/tcp"];
const policy = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: door, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}] }
  opens: { ports: [2101, 2102, 24103-24105/udp], for: 10s }
`;
/** Behind 2101/tcp and 24103/udp there is a service, behind the other two guarded ports there is none. */
const served = [
  "2101/tcp",
  "24103/udp",
  "24105/udp4",
  "2198/tcp",
  "2199/udp",
  "68/udp",
  "67/udp",
  "546/udp",
  "547/udp",
];
/** A port of each host that it alone serves, to everybody. */
const own = new Map([
  ["silent", 2301],
  ["refusing", 2302],
  ["dropping", 2303],
]);
const servedByDropping = new Set([2199, 2303, 2313]);
const ownOfAllHosts = new Map([...own].map(([name, port]) => [name, port + 10]));
const serve = ["--serve", "2313/udp", "--serve", "2303/udp", "--serve", "2198/tcp", "--serve", "2199/udp"];
const families = ["ipv4", "ipv6"] as const;

let world: World;
let visitor: Host;
const servers = new Map<Host, RunningProcess>();
const agents = new Map<Host, AgentProcess>();

beforeAll(async () => {
  world = await World.build("silence", ["visitor", "silent", "refusing", "dropping"]);
  visitor = world.host("visitor");
  await visitor.expect("ip", ["route", "add", "default", "dev", "eth0"]); // to 255.255.255.255 and 224.0.0.1
  await begin("silent", []);
  await begin("refusing", ["--closed-as", "refused"]);
  await begin("dropping", ["--default-drop", ...serve]);
}, 40_000);
afterAll(() => world.remove());

/** ICMP errors are not held back here, so that every probe gets its answer; as a router the host hears anycast. */
async function begin(name: string, args: readonly string[]): Promise<void> {
  const host = world.host(name);
  const unlimited = [
    "net.ipv4.icmp_ratelimit=0",
    "net.ipv4.icmp_msgs_per_sec=100000",
    "net.ipv4.icmp_msgs_burst=100000",
    "net.ipv6.icmp.ratelimit=0",
  ];
  await host.expect("sysctl", ["-qw", ...unlimited, "net.ipv6.conf.all.forwarding=1"]);
  servers.set(host, await host.serve([...served, `${own.get(name)}/udp`, `${ownOfAllHosts.get(name)}/udp4`]));
  agents.set(host, await AgentProcess.start(world, host, { policies: policy, args }));
}

describe.each(families)("over %s", (family) => {
  test("not one packet comes back from guarded ports, whatever is sent", async () => {
    const silent = world.host("silent");
    const before = await dropped(silent);
    const probes = [...everyProbe(2101, 24103), ...everyProbe(2102, 24104)];
    const prober = new Prober(world, visitor, silent);
    expect(await prober.answers(family, probes)).toEqual(probes.map(() => "silent"));
    expect((await dropped(silent)) - before).toBe(probes.length);
  });

  test("knock ports and decoys answer exactly as an unused port does", async () => {
    const { policies } = compile([{ origin: "policy", text: policy, format: "yaml" }], {
      guards: [],
      served: [],
      allowCommands: false,
      allowCritical: false,
      defaultNamespace: "default",
    });
    const { steps, decoys } = policies[0]?.opensBy ?? { steps: [], decoys: [] };
    expect(decoys.length).toBeGreaterThanOrEqual(64);
    const watched = [...[...steps].reverse(), ...decoys].map(portOfKey); // so that the steps are not a knock
    const probes = watched.flatMap(({ protocol, port }) =>
      everyProbe(port, port).filter((probe) => probe.protocol === protocol),
    );
    const prober = new Prober(world, visitor, world.host("silent"));
    const unused = await prober.answers(family, everyProbe(61_001, 61_002));
    expect(unused.join("\n")).toMatch(/Flags \[R\.\].*unreachable/s);
    const wanted = watched.flatMap(({ protocol }) =>
      unused.filter((_, at) => everyProbe(0, 0)[at]?.protocol === protocol),
    );
    expect(await prober.answers(family, probes)).toEqual(wanted);
  });

  test("guarded ports answer exactly as closed ports when they are to look closed", async () => {
    const prober = new Prober(world, visitor, world.host("refusing"));
    const closed = (await prober.answers(family, everyProbe(61_001, 61_002))).map(withoutFlowLabel);
    expect(closed.join("\n")).toMatch(/Flags \[R\.\].*Flags \[R\],.*unreachable/s);
    expect((await prober.answers(family, everyProbe(2101, 24103))).map(withoutFlowLabel)).toEqual(closed);
    expect((await prober.answers(family, everyProbe(2102, 24104))).map(withoutFlowLabel)).toEqual(closed);
  });

  test("under --default-drop no port of all answers, but those served", async () => {
    const dropping = world.host("dropping");
    const before = await dropped(dropping);
    const prober = new Prober(world, visitor, dropping);
    const packets = everyPort(family, dropping);
    const filter = `src host ${dropping[family]} and not portrange 2301-2313`;
    const heard = await prober.listen(filter, () => prober.send(packets));
    expect(heard.filter((line) => !line.includes("udp port 2313")).map((line) => /Flags \S+/.exec(line)?.[0])).toEqual([
      "Flags [S.],",
    ]);
    expect((await dropped(dropping)) - before).toBe(packets.length - 4);
    expect(await visitor.connect(dropping[family], 2198)).toBe("open");
    expect(await visitor.udp(dropping[family], 2199)).toBe("echo hello");
  });

  test("under --default-drop an echo request is not answered, and what the host needs goes on", async () => {
    const dropping = world.host("dropping");
    const prober = new Prober(world, visitor, dropping);
    const ping = (from: Host, to: Host, more: readonly string[] = []) =>
      from.run("ping", ["-n", "-c1", "-W1", ...more, to[family]]);
    const heard = await prober.listen(`src host ${dropping[family]}`, async () => {
      expect((await ping(visitor, dropping)).code).toBe(1);
    });
    expect(heard).toEqual([]);
    await visitor.expect("ip", ["neighbour", "flush", "dev", "eth0"]);
    await dropping.expect("ip", ["neighbour", "flush", "dev", "eth0"]);
    expect(await visitor.connect(dropping[family], 2198)).toBe("open");
    expect((await ping(dropping, visitor)).code).toBe(0);
    expect(await dropping.udp(visitor[family], 61_002)).toBe("unreachable");
  });
});

/** Where a datagram reaches many, or whoever is nearest. */
const many = ["10.77.255.255", "255.255.255.255", "224.0.0.1", "ff02::1%eth0"];

test("guarded ports say nothing to broadcast and multicast, also where they are to look closed", async () => {
  const services = [...own.keys()].map((name) => servers.get(world.host(name)) as RunningProcess);
  const before = services.map(({ lines }) => lines.length);
  for (const address of many) {
    const prober = new Prober(world, visitor, world.host("silent"));
    const heard = await prober.listen(`not src host ${visitor.ipv4} and not portrange 2301-2313`, async () => {
      for (const port of [24103, 24104, 24105])
        expect(await visitor.broadcast(address, port, { timeoutMs: 0 })).toBe("sent");
      const open = address === "224.0.0.1" ? ownOfAllHosts : own;
      for (const port of open.values()) expect(await visitor.broadcast(address, port), address).toBe("echo x");
    });
    expect(heard, address).toEqual([]);
  }
  const heard = services.map((service, at) => new Set(portsHeard(service, before[at] ?? 0)));
  for (const [at, port] of [...own.values()].entries()) {
    heard[at]?.delete("2199/udp");
    expect([...(heard[at] ?? [])]).toEqual([`${port}/udp`, `${port + 10}/udp`]);
  }
});

test.each(["silent", "dropping"])("a guarded port of a %s host says nothing to anycast", async (name) => {
  const host = world.host(name);
  await visitor.expect("ip", ["-6", "neighbour", "replace", "fd77::", "lladdr", host.mac, "dev", "eth0"]);
  const prober = new Prober(world, visitor, host);
  const heard = await prober.listen("not portrange 2301-2313", async () => {
    for (const port of [24103, 24104]) expect(await visitor.broadcast("fd77::", port, { timeoutMs: 0 })).toBe("sent");
    expect(await visitor.broadcast("fd77::", own.get(name) ?? 0)).toBe("echo x");
  });
  expect(heard).toEqual([]);
});

test("under --default-drop DHCP goes on, as client and as server", async () => {
  const dropping = world.host("dropping");
  const service = servers.get(dropping) as RunningProcess;
  const from = service.lines.length;
  const told: [string, number, number][] = [
    ["255.255.255.255", 67, 68],
    ["255.255.255.255", 68, 67],
    ["ff02::1%eth0", 547, 546],
    [dropping.ipv6, 546, 547],
    [dropping.ipv4, 1067, 68],
    [dropping.ipv6, 1547, 546],
  ];
  for (const [address, sourcePort, port] of told) await visitor.broadcast(address, port, { sourcePort, timeoutMs: 0 });
  expect(await visitor.udp(dropping.ipv4, 2199)).toBe("echo hello");
  await service.waitForLine(/on 2199\/udp:/, { from }); // the answer may be here before what the service printed
  expect(portsHeard(service, from)).toEqual(["68/udp", "67/udp", "546/udp", "547/udp", "2199/udp"]);
});

test("neither log nor metrics nor status hold a step; metrics and status hold no source", async () => {
  for (const agent of agents.values()) {
    expect(await disclosures(agent, steps, [visitor])).toEqual([]);
    expect(agent.process.text).not.toContain("grant-added");
  }
});

/** One probe of each kind: what a closed port and a scanner's tricks are told apart by. */
function everyProbe(tcp: number, udp: number): Probe[] {
  const [syn, ack, finAck, none, synAck, finPushUrgent] = [2, 16, 17, 0, 18, 41];
  return [
    ...[syn, ack, finAck, none, synAck, finPushUrgent].map((flags) => ({ protocol: "tcp", port: tcp, flags }) as const),
    { protocol: "udp", port: udp },
  ];
}

/** A packet to every TCP port (over IPv6 and to UDP ports every sixteenth) and to each that is served. */
function everyPort(family: "ipv4" | "ipv6", target: Host): WirePacket[] {
  const ends = { source: visitor[family], target: target[family] };
  const all = Array.from({ length: 65_535 }, (_, at) => at + 1);
  const packets = (protocol: "tcp" | "udp", ports: readonly number[]) =>
    ports.map((port) => ({ ...ends, protocol, port }));
  const some = all.filter((port) => port % 16 === 0 && !servedByDropping.has(port));
  const tcp = packets("tcp", family === "ipv4" ? all : [...some, 2198]);
  return [...tcp, ...packets("udp", [...some, ...servedByDropping])];
}

/** How many packets the gate counted. */
async function dropped(host: Host): Promise<number> {
  const table = await agents.get(host)?.table();
  return Number(/counter guarded_dropped \{\s+packets (\d+)/.exec(table ?? "")?.[1]);
}

/** On which ports datagrams reached the service since then. */
function portsHeard(service: RunningProcess, from: number): string[] {
  return service.lines.slice(from).flatMap((line) => /^heard .* on (\S+):/.exec(line)?.[1] ?? []);
}

/**
 * The kernel puts a flow label of its own into the IPv6 resets of closed ports; `reject` in nftables cannot. Whoever looks
 * for it can tell the two apart.
 */
function withoutFlowLabel(answer: string): string {
  return answer.replace("flowlabel ANY, ", "");
}
