import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Finding } from "../../src/doctor/finding.ts";
import type { Host } from "./host.ts";
import { World } from "./world.ts";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

let world: World;
let gate: Host;
beforeAll(async () => {
  world = await World.build("doctor", ["gate", "client"]);
  gate = world.host("gate");
});
afterEach(() => gate.expect("nft", ["flush", "ruleset"]));
afterAll(() => world.remove());

interface Diagnosis {
  readonly code: number | undefined;
  readonly found: (check: string) => readonly Finding[];
}

async function diagnose(args: readonly string[] = [], through: readonly string[] = []): Promise<Diagnosis> {
  const places = ["--state-dir", join(world.folder, "state"), "--socket", join(world.folder, "agent.sock")];
  const all = [...through, process.execPath, program, "doctor", "-o", "json", "--guard", "22", ...places, ...args];
  const { code, stdout, stderr } = await gate.run(all[0] ?? "", all.slice(1));
  if (stdout === "") throw new Error(`doctor ended with ${code}: ${stderr}`);
  const findings = JSON.parse(stdout) as Finding[];
  return { code, found: (check) => findings.filter((finding) => finding.check === check) };
}

const load = (text: string) => gate.expect("nft", ["-f", "-"], { input: text });

test("a host that is well has no problem, and one line for people each", async () => {
  const { code, found } = await diagnose();
  for (const check of ["capabilities", "nft", "ruleset", "ss -K", "links", "capture", "other tables", "conntrack"])
    expect(found(check), check).toMatchObject([{ verdict: "ok" }]);
  expect(found("capture")[0]?.what).toMatch(/libpcap \d/);
  expect(code).toBe(0);
  const text = await gate.expect(process.execPath, [program, "doctor", "--guard", "22"]);
  expect(text).toMatch(/^VERDICT +CHECK +WHAT\nok +capabilities +NET_ADMIN, NET_RAW, SETUID, SETGID are effective\.\n/);
});

test.each([
  { what: "a drop of the port", rules: "tcp dport { 22, 80 } drop", verdict: "problem" },
  { what: "a reject of everything", rules: "reject", verdict: "problem" },
  { what: "an accept before the reject", rules: "tcp dport 22 accept\nreject", verdict: "ok" },
  {
    what: "a policy to drop",
    policy: "drop",
    rules: "ct state established,related accept\niif lo accept",
    verdict: "problem",
  },
  { what: "a policy to drop, with the port let in", policy: "drop", rules: "tcp dport 20-30 accept", verdict: "ok" },
  {
    what: "a policy to drop, with some let in",
    policy: "drop",
    rules: "ip saddr 10.0.0.0/8 accept",
    verdict: "warning",
  },
  { what: "a drop of another port", rules: "tcp dport 23 drop\nudp dport 22 drop", verdict: "ok" },
  { what: "a list of unwanted sources", rules: "ip saddr 192.0.2.0/24 drop", verdict: "ok" },
  { what: "unwanted sources at the port", rules: "ip saddr 192.0.2.0/24 tcp dport 22 drop", verdict: "warning" },
])("doctor: another table with $what is $verdict", async ({ rules, verdict, policy }) => {
  await load(
    `table inet fw {\nchain in { type filter hook input priority 0; policy ${policy ?? "accept"};\n${rules}\n}\n}\n`,
  );
  const { code, found } = await diagnose();
  expect(found("other tables")).toMatchObject([{ verdict }]);
  expect(code).toBe(verdict === "problem" ? 1 : 0);
});

test("doctor: policies that are rejected are a problem, and an agent that guards nothing a warning", async () => {
  const bad = join(world.folder, "bad.yaml");
  writeFileSync(bad, "apiVersion: knockgate.io/v1alpha1\nkind: KnockSequence\nmetadata: { name: a }\nspec: {}\n");
  const rejected = await diagnose(["--config", bad]);
  expect(rejected.found("policies")).toMatchObject([
    { verdict: "problem", what: "1 of 1 policies are rejected", mend: expect.stringContaining("knockgate check") },
  ]);
  expect(rejected.code).toBe(1);
  const empty = join(world.folder, "empty.yaml");
  writeFileSync(empty, "# nothing\n");
  const { stdout, code } = await gate.run(process.execPath, [program, "doctor", "--config", empty, "-o", "json"]);
  const found = (JSON.parse(stdout) as Finding[]).filter(({ check }) => check === "policies");
  expect(found).toMatchObject([
    { verdict: "warning", what: "nothing is guarded", mend: expect.stringContaining("--guard") },
  ]);
  expect(code).toBe(0);
});

test("doctor: a chain that is jumped to, destination NAT, source NAT and notrack are seen", async () => {
  await load(`table inet fw {
    chain more { tcp dport 22 drop
    }
    chain in { type filter hook input priority 0; jump more
    }
    chain raw { type filter hook prerouting priority raw; tcp dport 22 notrack
    }
    chain nat { type nat hook prerouting priority dstnat; tcp dport 8022 redirect to :22
    }
    chain in_nat { type nat hook input priority 100; ip saddr 10.0.0.0/8 snat ip to 10.77.0.1
    }
  }
`);
  const { found } = await diagnose();
  expect(found("other tables")).toMatchObject([{ verdict: "problem" }]);
  expect(found("conntrack")).toMatchObject([{ verdict: "warning" }]);
  expect(found("destination NAT")).toMatchObject([
    { verdict: "problem", what: expect.stringContaining("past the gate") },
  ]);
  expect(found("source NAT")).toMatchObject([{ verdict: "warning" }]);
});

test("doctor: a guarded port that Docker or kube-proxy would rewrite is guarded before that, and is well", async () => {
  await load(`table ip nat {
    chain services { tcp dport 22 dnat to 10.244.0.7:22
    }
    chain pre { type nat hook prerouting priority dstnat; jump services
    }
  }
`);
  const { found } = await diagnose();
  expect(found("destination NAT")).toMatchObject([
    { verdict: "ok", what: expect.stringContaining("22/tcp is rewritten") },
  ]);
});

test("doctor: strict rp_filter beside a second link, and an interface that is not there, are warnings", async () => {
  const filters = (value: number) =>
    ["all", "eth0"].map((name) => `echo ${value} > /proc/sys/net/ipv4/conf/${name}/rp_filter`);
  const more = ["ip link add more0 type veth peer name more1", "ip link set more0 up", "ip link set more1 up"];
  await gate.expect("sh", ["-ec", [...more, ...filters(1)].join("\n")]);
  try {
    expect((await diagnose()).found("rp_filter")).toMatchObject([
      { verdict: "warning", what: expect.stringContaining("strict on eth0") },
    ]);
    const { found } = await diagnose(["--interface", "eth0", "--interface", "late0"]);
    expect(found("rp_filter")).toMatchObject([{ verdict: "ok" }]);
    expect(found("links")).toMatchObject([
      { verdict: "ok" },
      { verdict: "warning", what: expect.stringContaining("there is no interface late0") },
    ]);
  } finally {
    await gate.expect("sh", ["-ec", ["ip link del more0", ...filters(0)].join("\n")]);
  }
});

test("doctor: without capabilities it says what each is for, and does not load the table it tries", async () => {
  const { code, found } = await diagnose([], ["setpriv", "--bounding-set=-net_raw,-net_admin", "--inh-caps=-all"]);
  expect(found("capabilities")).toMatchObject([
    { what: expect.stringMatching(/^NET_ADMIN/) },
    { what: expect.stringMatching(/^NET_RAW/) },
  ]);
  for (const check of ["ruleset", "capture"]) expect(found(check)).toMatchObject([{ verdict: "problem" }]);
  expect(found("other tables")).toMatchObject([{ verdict: "warning" }]);
  expect(code).toBe(1);
  expect(await gate.expect("nft", ["list", "ruleset"])).toBe("");
});
