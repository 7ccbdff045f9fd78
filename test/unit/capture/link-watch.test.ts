import { describe, expect, test } from "vitest";
import { parseAddressList } from "../../../src/capture/address-list.ts";
import { LinkWatch } from "../../../src/capture/link-watch.ts";
import type { LinkState } from "../../../src/capture/packet-source.ts";
import { planTaps } from "../../../src/capture/taps.ts";
import { formatAddress } from "../../../src/policy/address.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

/** A link as `ip -j addr show` prints it. */
function listed(
  ifname: string,
  ifindex: number,
  addresses: readonly string[] = [],
  flags = ["UP"],
  link_type = "ether",
) {
  const info = addresses.map((local) => ({ family: local.includes(":") ? "inet6" : "inet", local, prefixlen: 24 }));
  return { ifindex, ifname, flags, mtu: 1500, link_type, addr_info: [...info, {}] };
}
const lo = listed("lo", 1, ["127.0.0.1", "::1", "10.9.9.9"], ["LOOPBACK", "UP"], "loopback");
const parse = (...links: unknown[]) => parseAddressList(JSON.stringify(links));

describe("the list of addresses", () => {
  test("gives links, local addresses without loopback ones, and the exempt ones", () => {
    const state = parse(
      lo,
      {},
      listed("eth0", 2, ["192.0.2.10", "fe80::1"]),
      listed("kube-ipvs0", 3, ["10.96.0.1"], []),
    );
    expect(state?.links).toEqual([
      { name: "lo", index: 1, up: true, loopback: true, hardware: "loopback" },
      { name: "eth0", index: 2, up: true, loopback: false, hardware: "ether" },
      { name: "kube-ipvs0", index: 3, up: false, loopback: false, hardware: "ether" },
    ]);
    expect(state?.localAddresses.map(formatAddress)).toEqual(["10.9.9.9", "192.0.2.10", "fe80::1", "10.96.0.1"]);
    expect(state?.exemptAddresses.map(formatAddress)).toEqual(["10.96.0.1"]);
  });

  test.each([
    "",
    "{}",
    "[1]",
    '[{"ifname":"eth0"}]',
    JSON.stringify([listed("a name", 1)]),
    JSON.stringify([listed("eth0", 1.5)]),
    JSON.stringify([listed("eth0", 1, ["10.1"])]),
    JSON.stringify([{ ...listed("eth0", 1), flags: "UP" }]),
    JSON.stringify([{ ...listed("eth0", 1), addr_info: 3 }]),
    JSON.stringify([{ ...listed("eth0", 1), link_type: 3 }]),
  ])("%s is none", (output) => {
    expect(parseAddressList(output)).toBeUndefined();
  });
});

describe("taps", () => {
  const names = [
    "eth0",
    "wg0",
    "veth1",
    "cali12",
    "docker0",
    "br-1f",
    "br0",
    "flannel.1",
    "kube-ipvs0",
    "nodelocaldns",
    "vethernet",
  ];
  const state = parse(
    lo,
    ...names.map((name, at) => listed(name, at + 2, [], ["UP"], name === "wg0" ? "none" : "ether")),
    listed("down0", 90, [], []),
  );
  const plan = (...interfaces: string[]) => {
    const { taps, waitingFor } = planTaps(state as LinkState, interfaces);
    return { taps: taps.map(({ name, kind }) => `${name} ${kind}`), waitingFor };
  };

  test("by default every link that is up and leads outside", () => {
    expect(plan()).toEqual({ taps: ["eth0 ethernet", "wg0 other", "br0 ethernet"], waitingFor: [] });
  });

  test("named ones whatever they are, once; what is missing or down is waited for", () => {
    expect(plan("veth1", "lo", "veth1", "down0", "eth9")).toEqual({
      taps: ["veth1 ethernet", "lo ethernet"],
      waitingFor: ["down0", "eth9"],
    });
  });

  test("any is one tap for all", () => {
    expect(plan("eth0", "any")).toEqual({ taps: ["any cooked"], waitingFor: [] });
  });
});

/** A link watch over an `ip` that prints what the test says. */
function watching(first: string | Error) {
  const clock = new FakeClock();
  const warnings: string[] = [];
  const states: LinkState[] = [];
  const ip = { output: first, reads: 0, follows: 0, stops: 0, changed: (_printed: Uint8Array) => {}, ended: () => {} };
  const watch = new LinkWatch({
    clock,
    warned: (message) => warnings.push(message),
    commands: {
      readAddresses: async () => {
        ip.reads++;
        if (ip.output instanceof Error) throw ip.output;
        return ip.output;
      },
      followChanges: (changed, ended) => {
        Object.assign(ip, { changed, ended });
        ip.follows++;
        return { stop: () => ip.stops++ };
      },
    },
  });
  return { clock, warnings, states, ip, watch, start: () => watch.start((state) => states.push(state)) };
}
/** What `ip monitor` prints, as the bytes of its pipe. */
const printed = (...lines: readonly string[]) => Buffer.from(lines.map((line) => `${line}\n`).join(""));
const one = JSON.stringify([listed("eth0", 2, ["192.0.2.10"])]);
const two = JSON.stringify([listed("eth0", 2, ["192.0.2.10", "192.0.2.11"])]);

describe("the link watch", () => {
  test("tells the first state, and a change after the burst has settled", async () => {
    const { clock, states, ip, start } = watching(one);
    await start();
    expect(states).toHaveLength(1);
    ip.output = two;
    for (let line = 0; line < 5; line++) ip.changed(printed("2: eth0: <BROADCAST,UP> mtu 1500"));
    await clock.advanceAsync(49);
    expect(ip.reads).toBe(1);
    await clock.advanceAsync(1);
    expect(ip.reads).toBe(2);
    expect(states[1]?.localAddresses).toHaveLength(2);
  });

  test("what has not changed is not told, and a change that was not announced is found", async () => {
    const { clock, states, ip, start } = watching(one);
    await start();
    ip.changed(printed("2: eth0: <BROADCAST,UP> mtu 1500"));
    await clock.advanceAsync(50);
    expect([ip.reads, states.length]).toEqual([2, 1]);
    ip.output = two;
    await clock.advanceAsync(30_000);
    expect(states).toHaveLength(2);
  });

  test("a link that was down for a moment, and is up again when it is looked at, is told", async () => {
    const { clock, states, ip, start } = watching(one);
    await start();
    const down = printed(
      "2: eth0@if3: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group default ",
      "    link/ether f2:ea:6f:76:85:03 brd ff:ff:ff:ff:ff:ff",
      "Deleted 2: eth0    inet6 fe80::f0ea:6fff:fe76:8503/64 scope link tentative ",
      "2: eth0@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default ",
    );
    ip.changed(down.subarray(0, 20));
    ip.changed(down.subarray(20));
    await clock.advanceAsync(50);
    expect(states.map(({ links }) => links[0]?.falls)).toEqual([0, 1]);
    ip.changed(printed("2: eth0@if3: <NO-CARRIER,BROADCAST,UP> mtu 1500", "7: veth1: <BROADCAST> mtu 1500"));
    await clock.advanceAsync(50);
    expect(states).toHaveLength(2);
    ip.changed(down);
    await clock.advanceAsync(50);
    expect(states.map(({ links }) => links[0]?.falls)).toEqual([0, 1, 2]);
  });

  test("a read that fails keeps the last state, says so once, and is tried again every second", async () => {
    const { clock, states, ip, start, warnings, watch } = watching(new Error("spawn ip ENOENT"));
    await start();
    await clock.advanceAsync(3000, 1000);
    expect([ip.reads, warnings.length, watch.state]).toEqual([4, 1, undefined]);
    expect(warnings[0]).toContain("iproute2");
    ip.output = one;
    await clock.advanceAsync(1000);
    expect(states).toHaveLength(1);
    ip.output = "nonsense";
    ip.changed(printed("2: eth0: <BROADCAST,UP> mtu 1500"));
    await clock.advanceAsync(50);
    expect([warnings.length, watch.state]).toEqual([2, states[0]]);
  });

  test("`ip monitor` is started again when it has ended", async () => {
    const { clock, ip, start } = watching(one);
    await start();
    ip.ended();
    await clock.advanceAsync(1000);
    expect([ip.follows, ip.reads]).toEqual([2, 2]);
  });

  test("a late listener is told at once; after close nobody is told and nothing runs", async () => {
    const { clock, states, ip, start, watch } = watching(one);
    await start();
    const late: LinkState[] = [];
    watch.subscribe((state) => late.push(state));
    expect(late).toEqual(states);
    watch.close();
    ip.changed(printed("2: eth0: <BROADCAST,UP> mtu 1500"));
    ip.ended();
    await clock.advanceAsync(60_000);
    expect([ip.reads, ip.follows, ip.stops, states.length]).toEqual([1, 1, 1, 1]);
  });
});
