import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { disclosures } from "./disclosure.ts";
import type { Host } from "./host.ts";
import { World } from "./world.ts";

const families = ["ipv4", "ipv6"] as const;
const short = { timeoutMs: 300 };
const open = ["17312/tcp", "18845/udp", "19127/tcp"];
const named = ["17313/tcp", "18846/udp", "19128/tcp"];

/** Who is where: the visitor and the friend reach the inner host through the router alone. */
const inside = {
  guarded: { ipv4: "192.0.2.10", ipv6: "2001:db8::10" },
  other: { ipv4: "192.0.2.11", ipv6: "2001:db8::11" },
} as const;

const services = ["2201/tcp", "2202/tcp", "2203/udp"];

let world: World;
let visitor: Host;
let friend: Host;
let stranger: Host;
const hosts = new Map<string, { readonly host: Host; readonly agent: AgentProcess }>();

beforeAll(async () => {
  world = await World.build("options", [
    "visitor",
    "friend",
    "stranger",
    "observing",
    "choosy",
    "bare",
    "router",
    "inner",
  ]);
  [visitor, friend, stranger] = ["visitor", "friend", "stranger"].map((name) => world.host(name)) as [Host, Host, Host];
  await putBehind(world.host("router"), world.host("inner"));
  const ranges = (flag: string, host: Host) => families.flatMap((family) => [flag, host[family]]);
  const policies = [
    policy("open", open, "[2201, 2203/udp]", ["0.0.0.0/0", "::/0"]),
    policy(
      "named",
      named,
      "[2202]",
      [stranger, visitor].flatMap(({ ipv4, ipv6 }) => [`${ipv4}/32`, `${ipv6}/128`]),
    ),
  ].join("---\n");
  await begin("observing", policies, ["--mode", "observe"]);
  await begin("choosy", policies, [...ranges("--trust", friend), ...ranges("--never-grant", stranger)]);
  await begin("bare", "", ["--guard", "2201/tcp", "--guard", "2203/udp"]);
  const addresses = families.flatMap((family) => ["--guard-address", inside.guarded[family]]);
  await begin("router", policies, addresses);
}, 60_000);
afterAll(() => world.remove());

describe.each(families)("over %s", (family) => {
  test("observe drops nothing, counts what would be dropped, and logs and counts grants", async () => {
    const { host, agent } = at("observing");
    const before = await dropped("observing");
    expect(await visitor.connect(host[family], 2201)).toBe("open");
    expect(await visitor.udp(host[family], 2203)).toBe("echo hello");
    expect(await dropped("observing")).toBe(before + 2);
    const added = async () => (await agent.metric('knockgate_grants_total{policy="bastion/open",result="added"}')) ?? 0;
    const grants = await added();
    expect(await outcome("observing", visitor, host[family], open)).toBe("grant-added");
    expect(await added()).toBe(grants + 1);
    expect(await agent.table()).toContain(`${visitor[family]} . tcp . 2201`);
    expect(await visitor.connect(host[family], 2201)).toBe("open");
    expect(await dropped("observing")).toBe(before + 2);
    expect(JSON.parse((await agent.http("/statusz")).body)).toMatchObject({ mode: "observe" });
  });

  test("a trusted range passes without a knock, and nobody else", async () => {
    const { host } = at("choosy");
    const before = await dropped("choosy");
    expect(await friend.connect(host[family], 2201)).toBe("open");
    expect(await friend.udp(host[family], 2203)).toBe("echo hello");
    expect(await dropped("choosy")).toBe(before);
    expect(await visitor.connect(host[family], 2201, short)).toBe("silent");
  });

  test("a range that is never granted gets no grant, unless a policy names it", async () => {
    const { host, agent } = at("choosy");
    const series = 'knockgate_grants_total{policy="bastion/open",result="refused"}';
    const refused = (await agent.metric(series)) ?? 0;
    expect(await outcome("choosy", stranger, host[family], open)).toBe("grant-refused");
    const audit = agent.process.lines.findLast((line) => line.includes("grant-refused"));
    expect(JSON.parse(audit ?? "{}")).toMatchObject({ audit: true, source: stranger[family], reason: "never-grant" });
    expect(await agent.metric(series)).toBe(refused + 1);
    expect(await stranger.connect(host[family], 2201, short)).toBe("silent");
    expect(await outcome("choosy", stranger, host[family], named)).toBe("grant-added");
    expect(await stranger.connect(host[family], 2202)).toBe("open");
    expect(await outcome("choosy", visitor, host[family], open)).toBe("grant-added");
  });

  test("a port is guarded without any policy", async () => {
    const { host } = at("bare");
    expect(await visitor.connect(host[family], 2201, short)).toBe("silent");
    expect(await visitor.udp(host[family], 2203, short)).toBe("silent");
    expect(await visitor.connect(host[family], 2202)).toBe("open");
  });

  test("traffic through the host is guarded where its destination is named, and a knock there counts", async () => {
    const { host } = at("router");
    const { guarded, other } = inside;
    expect(await visitor.connect(other[family], 2201)).toBe("open");
    expect(await visitor.connect(guarded[family], 2201, short)).toBe("silent");
    expect(await visitor.udp(guarded[family], 2203, short)).toBe("silent");
    await visitor.knock(other[family], open);
    expect(await outcome("router", visitor, guarded[family], named)).toBe("grant-added");
    expect(await visitor.connect(guarded[family], 2202)).toBe("open");
    expect(await visitor.connect(guarded[family], 2201, short)).toBe("silent");
    expect(await outcome("router", visitor, guarded[family], open)).toBe("grant-added");
    expect(await visitor.connect(guarded[family], 2201)).toBe("open");
    expect(await visitor.udp(guarded[family], 2203)).toBe("echo hello");
    expect(await friend.connect(guarded[family], 2201, short)).toBe("silent");
    expect(await friend.connect(host[family], 2201, short)).toBe("silent");
  });
});

test("neither log nor metrics nor status hold a step; metrics and status hold no source", async () => {
  for (const { agent } of hosts.values()) {
    expect(await disclosures(agent, [...open, ...named], [visitor, friend, stranger])).toEqual([]);
  }
});

function policy(name: string, steps: readonly string[], ports: string, sources: readonly string[]): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}] }
  sources: [${sources.map((source) => `"${source}"`).join(", ")}]
  opens: { ports: ${ports}, for: 60s }
`;
}

/** Joins a host to a router by a link of their own, with addresses that only the router leads to. */
async function putBehind(router: Host, inner: Host): Promise<void> {
  const add = (link: string, ...addresses: readonly string[]) => [
    ...addresses.map((address) => `ip address add ${address} dev ${link}${address.includes(":") ? " nodad" : ""}`),
  ];
  const forwarding = "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1";
  const join = `ip link add inner0 type veth peer name outer0 netns ${inner.namespace}`;
  const links = ["ip link set inner0 up", ...add("inner0", "192.0.2.1/24", "2001:db8::1/64")];
  await router.expect("sh", ["-ec", [forwarding, join, ...links].join("\n")]);
  const addresses = Object.values(inside).flatMap(({ ipv4, ipv6 }) => [`${ipv4}/24`, `${ipv6}/64`]);
  // So that datagrams are answered from the first address.
  const deprecate = `ip address change ${inside.other.ipv6}/64 dev outer0 preferred_lft 0`;
  const ways = [deprecate, "ip route add default via 192.0.2.1", "ip route add default via 2001:db8::1"];
  const up = ["ip link set eth0 down", "ip link set outer0 up", ...add("outer0", ...addresses), ...ways];
  await inner.expect("sh", ["-ec", up.join("\n")]);
  await inner.serve(services);
  for (const host of [visitor, friend]) {
    await host.expect("ip", ["route", "add", "192.0.2.0/24", "via", router.ipv4]);
    await host.expect("ip", ["route", "add", "2001:db8::/64", "via", router.ipv6]);
  }
}

/** Starts services and an agent on a host. */
async function begin(name: string, text: string, ...args: readonly (readonly string[])[]): Promise<void> {
  const host = world.host(name);
  if (name !== "router") await host.serve(services);
  const policies = text === "" ? {} : { policies: text };
  const agent = await AgentProcess.start(world, host, { ...policies, args: args.flat() });
  hosts.set(name, { host, agent });
}

function at(name: string): { readonly host: Host; readonly agent: AgentProcess } {
  const found = hosts.get(name);
  if (found === undefined) throw new Error(`no agent on ${name}`);
  return found;
}

/** Knocks and resolves to what the audit log says of it. */
async function outcome(name: string, from: Host, address: string, steps: readonly string[]): Promise<string> {
  const { agent } = at(name);
  const since = agent.process.lines.length;
  await from.knock(address, steps);
  const line = await agent.process.waitForLine(/"grant-(added|renewed|refused)"/, { from: since });
  return /grant-\w+/.exec(line)?.[0] ?? "";
}

async function dropped(name: string): Promise<number> {
  return Number(/guarded_dropped \{\s+packets (\d+)/.exec(await at(name).agent.table())?.[1]);
}
