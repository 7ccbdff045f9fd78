import { writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { GateSpec } from "../../src/nftables/ruleset.ts";
import { renderRuleset } from "../../src/nftables/table-plan.ts";
import { cidr, port } from "../fixture/ruleset-spec.ts";
import { emptySpec, GateHost } from "./gate-host.ts";
import type { Host } from "./host.ts";
import { Sniffer } from "./sniffer.ts";
import { savefile, wireFrame } from "./wire-frame.ts";
import { World } from "./world.ts";

let world: World;
let server: Host;
let visitor: Host;
let stranger: Host;
let inner: Host;
let gate: GateHost;

const ports = (...texts: string[]) => texts.map(port);
const guards = (...texts: string[]): GateSpec => ({ ...emptySpec, guarded: ports(...texts) });
const unreachable = { ipv4: "icmp", ipv6: "(icmp6 and ip6[40] < 128)" };
const short = { timeoutMs: 250 };

beforeAll(async () => {
  world = await World.build("nft", ["server", "visitor", "stranger", "inner"]);
  [server, visitor, stranger, inner] = ["server", "visitor", "stranger", "inner"].map((name) => world.host(name)) as [
    Host,
    Host,
    Host,
    Host,
  ];
  await server.serve(["2200/tcp", "2201/tcp", "8080/tcp", "5300/udp", "5301/udp"]);
  await server.serve(["2400/tcp", "5400/udp"], "chatty");
  await inner.serve(["2200/tcp", "8080/tcp", "5300/udp"]);
});
afterAll(() => world.remove());

beforeEach(async () => {
  gate = await GateHost.open(server);
});
afterEach(async () => {
  await gate.leave();
  await server.run("nft", ["delete", "table", "inet", "knockgate"]);
  await server.run("conntrack", ["-F"]);
});

describe.each(["ipv4", "ipv6"] as const)("over %s", (family) => {
  test("a guarded port is silent, opens for the granted source alone, and closes by itself", async () => {
    await gate.reconciler.start(guards("2200/tcp", "5300/udp"));
    const answers = await Sniffer.start(
      visitor,
      `src host ${server[family]} and (tcp or udp or ${unreachable[family]})`,
    );
    expect(await visitor.connect(server[family], 2200, short)).toBe("silent");
    expect(await visitor.udp(server[family], 5300, short)).toBe("silent");
    expect(await answers.stop()).toEqual([]);
    expect(await gate.grant(visitor[family], "2200/tcp", 1)).toEqual({ kind: "done" });
    expect(await gate.grant(visitor[family], "5300/udp", 1)).toEqual({ kind: "done" });
    expect(await visitor.connect(server[family], 2200)).toBe("open");
    expect(await visitor.udp(server[family], 5300)).toBe("echo hello");
    expect(await stranger.connect(server[family], 2200, short)).toBe("silent");
    expect(await visitor.connect(server[family], 2201)).toBe("open");
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(await visitor.connect(server[family], 2200, short)).toBe("silent");
  });

  test("closed as refused answers like a closed port, to a stranger alone", async () => {
    await gate.reconciler.start({ ...guards("2200/tcp", "5300/udp"), closedAs: "refused" });
    expect(await stranger.connect(server[family], 2200)).toBe("refused");
    expect(await stranger.udp(server[family], 5300)).toBe("unreachable");
    await gate.grant(visitor[family], "2200/tcp", 10);
    expect(await visitor.connect(server[family], 2200)).toBe("open");
  });

  test("a trusted range passes, observe drops nothing, and enforcing keeps grants and connections", async () => {
    await gate.reconciler.start({ ...guards("2200/tcp"), mode: "observe" });
    const running = await stranger.hold(server[family], 2200);
    expect(await running.exchange("")).toContain("welcome");
    await gate.grant(visitor[family], "2200/tcp", 20);
    await gate.reconciler.use({ ...guards("2200/tcp"), trusted: [cidr(inner[family])] });
    expect(await visitor.connect(server[family], 2200)).toBe("open");
    expect(await inner.connect(server[family], 2200)).toBe("open");
    expect(await stranger.connect(server[family], 2200, short)).toBe("silent");
    expect(await running.exchange("still here")).toBe("still here");
    await running.close();
  });

  test("default drop is silent but for what is served, granted or begun here", async () => {
    await gate.reconciler.start({ ...guards("2200/tcp"), defaultDrop: true, served: ports("8080/tcp") });
    const answers = await Sniffer.start(stranger, `src host ${server[family]} and not (icmp6 and ip6[40] >= 130)`, {
      direction: "in",
    });
    expect(await stranger.connect(server[family], 2200, short)).toBe("silent");
    expect(await stranger.connect(server[family], 2999, short)).toBe("silent");
    expect(await stranger.udp(server[family], 5301, short)).toBe("silent");
    expect((await stranger.run("ping", ["-c1", "-W1", server[family]])).code).toBe(1);
    expect((await answers.stop()).filter((line) => !/ARP/.test(line))).toEqual([]);
    expect(await stranger.connect(server[family], 8080)).toBe("open");
    expect(await server.connect(inner[family], 8080)).toBe("open");
    expect(await server.udp(inner[family], 5300)).toBe("echo hello");
    expect((await server.run("ping", ["-c1", "-W2", inner[family]])).code).toBe(0);
    await gate.grant(visitor[family], "2200/tcp", 10);
    expect(await visitor.connect(server[family], 2200)).toBe("open");
  });

  test("the host's own connections from a guarded source port are left alone", async () => {
    await gate.reconciler.start({ ...guards("2200/tcp", "2300/tcp", "5300/udp"), cutting: ports("2300/tcp") });
    const own = { sourcePort: 2300 };
    const outgoing = await server.hold(inner[family], 8080, own);
    expect(await outgoing.exchange("")).toContain("welcome");
    expect(await outgoing.exchange("more")).toBe("more");
    await outgoing.close();
  });

  test("Keep leaves a connection running after the grant, Cut ends both ends of it", async () => {
    await gate.reconciler.start({ ...guards("2200/tcp", "2201/tcp"), cutting: ports("2201/tcp") });
    for (const text of ["2200/tcp", "2201/tcp"]) await gate.grant(visitor[family], text, 60);
    const kept = await visitor.hold(server[family], 2200);
    const cut = await visitor.hold(server[family], 2201);
    for (const connection of [kept, cut]) expect(await connection.exchange("")).toContain("welcome");
    await gate.close(visitor[family], "2200/tcp");
    await gate.close(visitor[family], "2201/tcp", true);
    expect(await kept.exchange("on")).toBe("on");
    expect(await cut.exchange("on")).toBe("ended");
    expect(await visitor.connect(server[family], 2200, short)).toBe("silent");
    expect(gate.drifts).toEqual([]);
  });

  test("Cut lets nothing in on a UDP flow whose server keeps sending", async () => {
    await gate.reconciler.start({ ...guards("5400/udp"), cutting: ports("5400/udp") });
    await gate.grant(visitor[family], "5400/udp", 60);
    expect(await visitor.udp(server[family], 5400, { sourcePort: 6001 })).toMatch(/^(echo hello|tick)$/);
    await gate.close(visitor[family], "5400/udp", true);
    const answer = await visitor.udp(server[family], 5400, { sourcePort: 6001, text: "again", timeoutMs: 400 });
    expect(answer).not.toContain("again");
  });

  test("a connection from before the table goes on; a stranger and a second connection stay out", async () => {
    const before = await visitor.hold(server[family], 2200);
    const idle = await inner.hold(server[family], 2200);
    for (const connection of [before, idle]) expect(await connection.exchange("")).toContain("welcome");
    await gate.reconciler.start(guards("2200/tcp"));
    expect(await before.exchange("on")).toBe("on");
    expect(await visitor.connect(server[family], 2200, short)).toBe("silent");
    expect(await stranger.connect(server[family], 2200, short)).toBe("silent");
    expect(await idle.exchange("on")).toBe("on");
    const again = await GateHost.open(server);
    await again.reconciler.start(guards("2200/tcp"));
    expect(await before.exchange("still")).toBe("still");
    await again.leave();
  });

  test("fragments are no way round", async () => {
    await gate.reconciler.start(guards("5300/udp"));
    const large = "x".repeat(4000);
    expect(await stranger.udp(server[family], 5300, { ...short, text: large })).toBe("silent");
    expect(await stranger.udp(server[family], 5301, { text: large })).toBe(`echo ${large}`);
    await gate.grant(visitor[family], "5300/udp", 10);
    expect(await visitor.udp(server[family], 5300, { text: large })).toBe(`echo ${large}`);
  });

  test("what is forwarded is left alone", async () => {
    await gate.reconciler.start(guards("2200/tcp", "8080/tcp"));
    const [away, bits, flag] = family === "ipv4" ? ["10.99.0.1", 32, "-4"] : ["fd99::1", 128, "-6"];
    await inner.expect("ip", ["address", "add", `${away}/${bits}`, "dev", "lo"]);
    await server.expect("sh", [
      "-ec",
      "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects",
    ]);
    await server.expect("ip", [String(flag), "route", "add", `${away}/${bits}`, "via", inner[family]]);
    await stranger.expect("ip", [String(flag), "route", "add", `${away}/${bits}`, "via", server[family]]);
    expect(await stranger.connect(String(away), 2200)).toBe("open");
    await gate.reconciler.use({ ...guards("2200/tcp"), external: [cidr(String(away))] });
    expect(await visitor.connect(server[family], 2200, short)).toBe("silent");
    expect(await stranger.connect(String(away), 2200, short)).toBe("silent");
    expect(await stranger.connect(String(away), 8080)).toBe("open");
  });

  test("a port that is rewritten to another host is guarded before it is", async () => {
    const ip = family === "ipv4" ? "ip" : "ip6";
    const to = family === "ipv4" ? `${inner.ipv4}:8080` : `[${inner.ipv6}]:8080`;
    await server.expect("sh", [
      "-ec",
      "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    ]);
    await server.expect("nft", ["-f", "-"], {
      input: `table ${ip} nodeport {
        chain before { type nat hook prerouting priority dstnat; tcp dport 30080 dnat to ${to}; }
        chain after { type nat hook postrouting priority srcnat; tcp dport 8080 masquerade; }
      }
`,
    });
    expect(await stranger.connect(server[family], 30080)).toBe("open");
    await gate.reconciler.start(guards("30080/tcp"));
    expect(await stranger.connect(server[family], 30080, short)).toBe("silent");
    await gate.grant(visitor[family], "30080/tcp", 10);
    expect(await visitor.connect(server[family], 30080)).toBe("open");
    await gate.reconciler.use({ ...guards("30080/tcp"), closedAs: "refused" });
    expect(await stranger.connect(server[family], 30080)).toBe("refused");
    await server.expect("nft", ["delete", "table", ip, "nodeport"]);
  });
});

describe("IPv6 extension headers", () => {
  /** The header's number, and its eight bytes after the next header's number. */
  const headers: [string, number, number[]][] = [
    ["hop-by-hop options", 0, [0, 1, 4, 0, 0, 0, 0]],
    ["destination options", 60, [0, 1, 4, 0, 0, 0, 0]],
    ["the header of a fragment that is the whole", 44, [0, 0, 0, 0, 0, 0, 7]],
  ];

  /** A datagram with one extension header between the IPv6 header (14 to 54) and UDP. */
  function extended(target: number, [, number, rest]: (typeof headers)[number]): Uint8Array {
    const packet = { source: stranger.ipv6, target: server.ipv6, protocol: "udp", port: target } as const;
    const frame = wireFrame(packet, { from: stranger.mac, to: server.mac });
    const bytes = [...frame.slice(0, 54), frame[20] ?? 0, ...rest, ...frame.slice(54)];
    bytes[20] = number;
    bytes[19] = (bytes[19] ?? 0) + 8;
    return Uint8Array.from(bytes);
  }

  test.each(headers)("are no way round: %s", async (...header) => {
    await gate.reconciler.start(guards("5300/udp"));
    const file = `${world.folder}/extended.pcap`;
    writeFileSync(file, savefile([extended(5300, header), extended(5301, header)]));
    const heard = await Sniffer.start(stranger, `udp and src host ${server.ipv6}`);
    await stranger.expect("tcpreplay", ["-i", stranger.link, file]);
    expect(await heard.waitFor(".40000: ")).toContain(".5301 >");
    expect(await heard.stop()).toHaveLength(1);
  });
});

describe("the table", () => {
  test("keeps guarded UDP silent to broadcast, multicast and anycast", async () => {
    const many: [string, string[]][] = [
      ["10.77.255.255", []],
      ["255.255.255.255", []],
      ["ff02::1%eth0", []],
      ["fd77::", []],
    ];
    await server.expect("sh", ["-ec", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"]); // a router answers to subnet anycast
    await visitor.expect("ip", ["route", "add", "255.255.255.255", "dev", "eth0"]);
    const ask = (target: string) => visitor.broadcast(target, 5301, short);
    for (const [target] of many.slice(0, 3)) expect(await ask(target), target).toBe("echo x");
    await gate.reconciler.start(guards("5301/udp"));
    for (const [target] of many) expect(await ask(target), target).toBe("silent");
    await gate.grant(visitor.ipv4, "5301/udp", 10);
    expect(await ask("10.77.255.255")).toBe("echo x");
    await gate.reconciler.use({ ...guards("5301/udp"), closedAs: "refused" });
    await gate.close(visitor.ipv4, "5301/udp");
    for (const [target] of many.slice(0, 3)) expect(await ask(target), target).toBe("silent");
  });

  test("a full set refuses the next and hurts nobody else", async () => {
    await gate.reconciler.start({ ...guards("2200/tcp"), maxGrants: 2 });
    expect(await gate.grant(visitor.ipv4, "2200/tcp", 30)).toEqual({ kind: "done" });
    expect(await gate.grant("192.0.2.1", "2200/tcp")).toEqual({ kind: "done" });
    expect(await gate.grant(stranger.ipv4, "2200/tcp", 30)).toMatchObject({ kind: "refused", reason: "set-full" });
    expect(await gate.grant(visitor.ipv4, "2200/tcp", 60)).toEqual({ kind: "done" });
    expect(await gate.grant(stranger.ipv6, "2200/tcp", 30)).toEqual({ kind: "done" });
    expect(await visitor.connect(server.ipv4, 2200)).toBe("open");
    expect(await stranger.connect(server.ipv4, 2200, short)).toBe("silent");
    const grants = await gate.reconciler.gate.listGrants();
    expect(grants.map(({ deadlineMicros }) => deadlineMicros === undefined)).toContain(true);
    expect(grants.every(({ policies }) => policies.join() === "0123abcd")).toBe(true);
  });

  const damages: [string, string][] = [
    ["flush ruleset", "the table is missing"],
    ["delete table inet knockgate", "the table is missing"],
    ["flush chain inet knockgate gate", "the chain gate has other rules"],
    ["flush chain inet knockgate gate; delete chain inet knockgate gate", "the chain gate is missing"],
    ["insert rule inet knockgate gate accept", "the chain gate has other rules"],
    ["delete element inet knockgate guarded { tcp . 2200 }", "the set guarded has other elements"],
    ["add element inet knockgate trusted4 { 0.0.0.0/0 }", "the set trusted4 has other elements"],
    ["flush chain inet knockgate gate; delete set inet knockgate granted4", "the set granted4 is missing"],
    ["add set inet knockgate odd { type mark; }", "the set odd is not ours"],
    ["add table inet knockgate { flags dormant; }", "the table was made dormant"],
  ];
  test.each(damages)("is put back with its grants after: %s", async (damage, difference) => {
    await gate.reconciler.start(guards("2200/tcp"));
    await gate.grant(visitor.ipv4, "2200/tcp", 60);
    await server.expect("nft", ["-f", "-"], { input: damage });
    await expect.poll(() => gate.drifts, { timeout: 12_000, interval: 100 }).toContain(difference);
    await expect.poll(() => gate.intact, { timeout: 5000 }).toBeUndefined();
    expect(await visitor.connect(server.ipv4, 2200)).toBe("open");
    expect(await stranger.connect(server.ipv4, 2200, short)).toBe("silent");
    expect(gate.revoked).toEqual([]);
  });

  test("takes a deleted element for a revocation", async () => {
    await gate.reconciler.start(guards("2200/tcp"));
    await gate.grant(visitor.ipv4, "2200/tcp", 60);
    await gate.grant(stranger.ipv4, "2200/tcp", 60);
    await server.expect("nft", [
      "delete",
      "element",
      "inet",
      "knockgate",
      "granted4",
      `{ ${visitor.ipv4} . tcp . 2200 }`,
    ]);
    await expect.poll(() => gate.revoked.length, { timeout: 12_000, interval: 100 }).toBe(1);
    expect(await visitor.connect(server.ipv4, 2200, short)).toBe("silent");
    expect(await stranger.connect(server.ipv4, 2200)).toBe("open");
    expect(gate.drifts).toEqual([]);
  });

  test("keeps its elements when another agent takes it over, also in a set of another size", async () => {
    await gate.reconciler.start(guards("2200/tcp"));
    await gate.grant(visitor.ipv4, "2200/tcp", 60);
    await gate.reconciler.close();
    for (const maxGrants of [100, 50]) {
      const next = await GateHost.open(server);
      await next.reconciler.start({ ...guards("2200/tcp", "2201/tcp"), maxGrants });
      const [grant] = await next.reconciler.gate.listGrants();
      expect(grant).toMatchObject({ port: port("2200/tcp"), policies: ["0123abcd"] });
      expect(await visitor.connect(server.ipv4, 2200)).toBe("open");
      await next.leave();
    }
  });

  test("loads at boot from its text, twice, and keeps a door open that was", async () => {
    const folder = `${world.folder}/state`;
    const writer = await GateHost.open(server, { stateDir: folder });
    await writer.reconciler.start({ ...guards("2200/tcp"), defaultDrop: true, trusted: [cidr("10.77.0.0/30")] });
    await writer.leave();
    await server.expect("nft", ["flush", "ruleset"]);
    await server.expect("nft", ["-f", `${folder}/ruleset.nft`]);
    await server.expect("nft", [
      "add",
      "element",
      "inet",
      "knockgate",
      "granted4",
      `{ ${inner.ipv4} . tcp . 2200 timeout 60s }`,
    ]);
    await server.expect("nft", ["-f", `${folder}/ruleset.nft`]);
    expect(await visitor.connect(server.ipv4, 2200)).toBe("open");
    expect(await inner.connect(server.ipv4, 2200)).toBe("open");
    expect(await inner.connect(server.ipv4, 2201, short)).toBe("silent");
  });

  test("has as many rules for a thousand ports as for one", async () => {
    const many = Array.from({ length: 1000 }, (_, at) => port(`${10_000 + at}/tcp`));
    const rules = (guarded: GateSpec["guarded"]) =>
      renderRuleset({ ...emptySpec, guarded })
        .split("\n")
        .filter((line) => line.startsWith("add rule")).length;
    expect(rules(many)).toBe(rules(ports("22/tcp")));
    await gate.reconciler.start({ ...emptySpec, guarded: many });
    const listing = await gate.nft.list();
    expect(listing?.chains.get("gate")?.rules).toHaveLength(rules(many));
    expect(listing?.sets.get("guarded")?.elements).toHaveLength(1000);
  });
});
