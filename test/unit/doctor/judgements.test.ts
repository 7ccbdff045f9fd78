import { describe, expect, test } from "vitest";
import { judgeDestinationNat, judgeSourceNat, judgeTracking } from "../../../src/doctor/address-translation.ts";
import { judgeCapabilities } from "../../../src/doctor/capabilities.ts";
import { judgeCapture } from "../../../src/doctor/capture-probe.ts";
import { parseForeignRules } from "../../../src/doctor/foreign-rules.ts";
import { judgeAgents, judgeBootUnit, judgeStateDir } from "../../../src/doctor/host.ts";
import { isLocked } from "../../../src/doctor/host-facts.ts";
import { askProgram } from "../../../src/doctor/inquiry.ts";
import { judgeLinks, judgePathFilters } from "../../../src/doctor/links.ts";
import { judgeLegacyTables, judgeNoListing, judgeOtherTables } from "../../../src/doctor/other-tables.ts";
import { judgeSocketEnd } from "../../../src/doctor/socket-probe.ts";
import { judgeTimeSource } from "../../../src/doctor/time-source.ts";
import { judgeKernel, judgeNft, judgeRuleset } from "../../../src/doctor/versions.ts";

const answered = (stdout: string) => ({ status: 0, stdout, complaint: "" });
const failed = (complaint: string) => ({ status: undefined, stdout: "", complaint });
const ssh = [{ protocol: "tcp", port: 22 }] as const;
const verdicts = (findings: readonly { verdict: string }[]) => findings.map(({ verdict }) => verdict);

describe("capabilities", () => {
  test.each([
    { mask: "000001ffffffffff", found: ["ok"] },
    { mask: "00000000000030c0", found: ["ok"] },
    { mask: "00000000000020c0", found: ["problem"] },
    { mask: "0000000000003000", found: ["warning", "warning"] },
    { mask: "0000000000000000", found: ["problem", "problem", "warning", "warning"] },
  ])("$mask is $found", ({ mask, found }) => {
    expect(verdicts(judgeCapabilities(`CapPrm:\t0\nCapEff:\t${mask}\n`))).toEqual(found);
  });

  test("that nobody tells are a warning", () => {
    expect(verdicts(judgeCapabilities(undefined))).toEqual(["warning"]);
  });
});

test.each([
  { finding: judgeKernel("6.18.44-amd64"), verdict: "ok" },
  { finding: judgeKernel("5.10.0"), verdict: "warning" },
  { finding: judgeKernel("plan9"), verdict: "warning" },
  { finding: judgeNft(answered("nftables v1.0.6 (Lester Gooch #5)\n")), verdict: "ok" },
  { finding: judgeNft(answered("nftables v0.9.8 (E.D.S.)\n")), verdict: "problem" },
  { finding: judgeNft(failed("there is no program nft")), verdict: "problem" },
  { finding: judgeRuleset(answered("")), verdict: "ok" },
  { finding: judgeRuleset(failed("/dev/stdin:1:1-2: Error: syntax error")), verdict: "problem" },
  { finding: judgeSocketEnd("ended", true), verdict: "ok" },
  { finding: judgeSocketEnd("still open", false), verdict: "warning" },
  { finding: judgeSocketEnd({ failed: "there is no program ss" }, true), verdict: "problem" },
  { finding: judgeStateDir({ path: "/x", isThere: false, writable: true }), verdict: "ok" },
  { finding: judgeStateDir({ path: "/x", isThere: true, writable: false }), verdict: "problem" },
  { finding: judgeBootUnit([]), verdict: "warning" },
  { finding: judgeBootUnit([{ name: "knockgate-boot.service", enabled: false }]), verdict: "warning" },
  { finding: judgeBootUnit([{ name: "knockgate-boot.service", enabled: true }]), verdict: "ok" },
  { finding: judgeAgents({ socketAnswers: false, isLocked: false }, "/s"), verdict: "ok" },
  { finding: judgeAgents({ socketAnswers: true, isLocked: true }, "/s"), verdict: "ok" },
  { finding: judgeAgents({ socketAnswers: false, isLocked: true }, "/s"), verdict: "warning" },
  { finding: judgePathFilters([{ name: "eth0", value: 1 }], ["eth0"]), verdict: "ok" },
  { finding: judgePathFilters([{ name: "eth0", value: 1 }], ["eth0", "eth1"]), verdict: "warning" },
  { finding: judgePathFilters([{ name: "eth0", value: 2 }], ["eth0", "eth1"]), verdict: "ok" },
  { finding: judgeNoListing(failed("nft was ended by SIGSEGV")), verdict: "warning" },
  { finding: judgeLegacyTables(undefined, ssh), verdict: "ok" },
  { finding: judgeLegacyTables("-A INPUT -p tcp -m tcp --dport 22 -j DROP\n", ssh), verdict: "problem" },
  { finding: judgeLegacyTables("-A INPUT -p udp -m udp --dport 22 -j DROP\n", ssh), verdict: "ok" },
  { finding: judgeLegacyTables("-A INPUT -p tcp -m multiport --dports 21,22,23 -j REJECT\n", ssh), verdict: "problem" },
  { finding: judgeLegacyTables("-A INPUT -p tcp -m multiport --dports 20:23,80 -j DROP\n", ssh), verdict: "problem" },
  { finding: judgeLegacyTables("-A INPUT -p tcp -m tcp ! --dport 22 -j DROP\n", ssh), verdict: "ok" },
  { finding: judgeLegacyTables(":INPUT DROP [0:0]\n", ssh), verdict: "warning" },
  { finding: judgeLegacyTables("-A INPUT -j REJECT --reject-with icmp-host-prohibited\n", ssh), verdict: "warning" },
  { finding: judgeSourceNat([], ["192.0.2.9", "10.0.0.1"], ["10.0.0.1"]), verdict: "warning" },
  { finding: judgeSourceNat([], Array(8).fill("10.0.0.7"), []), verdict: "warning" },
  { finding: judgeSourceNat([], ["192.0.2.9", "10.0.0.7"], ["10.0.0.1"]), verdict: "ok" },
])("$finding.check: $finding.what is $verdict", ({ finding, verdict }) => {
  expect(finding.verdict).toBe(verdict);
  expect(finding.mend === undefined).toBe(verdict === "ok");
});

describe("rules of iptables in nftables, of which nft tells only the names,", () => {
  const l4 = { match: { op: "==", left: { meta: { key: "l4proto" } }, right: "tcp" } };
  const dport = { match: { op: "==", left: { payload: { protocol: "tcp", field: "dport" } }, right: 22 } };
  const counter = { counter: { packets: 0, bytes: 0 } };
  const match = (name: string) => ({ xt: { type: "match", name } });
  const target = (name: string) => ({ xt: { type: "target", name } });
  const chainsWith = (chain: object, ...rules: readonly (readonly object[])[]) => {
    const place = { family: "ip", table: "t" };
    const made = rules.map((expr) => ({ rule: { ...place, chain: "c", expr } }));
    return (
      parseForeignRules(JSON.stringify({ nftables: [{ chain: { ...place, name: "c", ...chain } }, ...made] })) ?? []
    );
  };
  const input = { type: "filter", hook: "input", policy: "accept" };

  test.each([
    { name: "a reject of the port", rules: [[dport, counter, target("REJECT")]], found: ["problem"] },
    { name: "a reject of everything", rules: [[counter, target("REJECT")]], found: ["problem"] },
    { name: "a log, then a reject", rules: [[target("LOG")], [dport, target("REJECT")]], found: ["problem"] },
    {
      name: "a count of some, then a reject",
      rules: [
        [match("recent"), counter],
        [dport, { drop: null }],
      ],
      found: ["problem"],
    },
    { name: "ports in a list", rules: [[l4, match("multiport"), counter, target("REJECT")]], found: ["warning"] },
    { name: "some sources", rules: [[match("set"), counter, { drop: null }]], found: ["ok"] },
  ])("that close the port: $name", ({ rules, found }) => {
    expect(verdicts(judgeOtherTables(chainsWith(input, ...rules), ssh))).toEqual(found);
  });

  test("that rewrite the port, as Docker's do: it is said to be guarded before that", () => {
    const nat = { type: "nat", hook: "prerouting", policy: "accept" };
    const [finding] = judgeDestinationNat(chainsWith(nat, [dport, counter, target("DNAT")]), ssh, () => false);
    expect(finding).toMatchObject({ verdict: "ok", what: expect.stringContaining("22/tcp is rewritten") });
  });

  test.each([
    { name: "of the port", rule: [dport, counter, target("CT")], verdict: "warning" },
    { name: "of everything", rule: [target("NOTRACK")], verdict: "warning" },
    { name: "of what a CNI has marked", rule: [match("mark"), target("CT")], verdict: "ok" },
    { name: "of another port", rule: [{ match: { ...dport.match, right: 23 } }, target("CT")], verdict: "ok" },
  ])("that turn connection tracking off $name: $verdict", ({ rule, verdict }) => {
    const raw = { type: "filter", hook: "prerouting", policy: "accept" };
    expect(judgeTracking(chainsWith(raw, rule), ssh, true).verdict).toBe(verdict);
  });

  test("that rewrite sources of what comes in: a warning", () => {
    const nat = { type: "nat", hook: "input", policy: "accept" };
    expect(judgeSourceNat(chainsWith(nat, [target("MASQUERADE")]), [], []).verdict).toBe("warning");
  });
});

test("a lock is seen by its socket's name", () => {
  const line = (name: string) => `Num RefCount Protocol Flags Type St Inode Path\n0: 2 0 10000 0001 01 77 ${name}\n`;
  expect(isLocked(line("@knockgate-agent"))).toBe(true);
  expect(isLocked(line("/run/knockgate-agent"))).toBe(false);
});

test("links that are named and missing or down are told beside those that are captured", () => {
  const link = { index: 2, loopback: false, hardware: "ether" };
  const links = [
    { ...link, name: "eth0", up: true },
    { ...link, name: "eth1", up: false },
  ];
  const state = { links, localAddresses: [], exemptAddresses: [] };
  expect(verdicts(judgeLinks(state, ["eth0", "eth1", "eth2"]))).toEqual(["ok", "warning", "warning"]);
  expect(verdicts(judgeLinks(state, ["eth1"]))).toEqual(["problem", "warning"]);
  expect(verdicts(judgeLinks(state, []))).toEqual(["ok"]);
  expect(verdicts(judgeLinks(undefined, []))).toEqual(["problem"]);
});

test("a capture that opens, one that half opens, and one that does not", () => {
  const ready = { kind: "ready", failed: [], kept: undefined, libpcap: "1.10.3" } as const;
  expect(verdicts(judgeCapture(ready))).toEqual(["ok"]);
  expect(verdicts(judgeCapture({ ...ready, failed: ["Cannot capture on eth1."], kept: "It keeps." }))).toEqual([
    "ok",
    "problem",
    "warning",
  ]);
  expect(verdicts(judgeCapture({ kind: "failed", message: "no permission" }))).toEqual(["problem"]);
});

test("clocks", () => {
  expect(verdicts(judgeTimeSource("tsc", "yes"))).toEqual(["ok", "ok"]);
  expect(verdicts(judgeTimeSource("acpi_pm", "no"))).toEqual(["warning", "warning"]);
  expect(verdicts(judgeTimeSource(undefined, undefined))).toEqual(["ok", "ok"]);
});

test.each(["", "{}", "[]", '{"nftables":7}', "\0", "{"])("%j is no listing, and no crash", (text) => {
  expect(parseForeignRules(text)).toBeUndefined();
});

test("objects that nobody here knows are passed over", () => {
  const odd = {
    nftables: [
      null,
      7,
      { rule: null },
      { chain: { table: "x" } },
      { rule: { table: "x", expr: [null, { match: 3 }] } },
    ],
  };
  expect(parseForeignRules(JSON.stringify(odd))).toHaveLength(1);
});

test("a program that is missing, crashes or hangs is an answer", async () => {
  expect(await askProgram("kg-no-such-program", [])).toMatchObject({
    status: undefined,
    complaint: expect.stringContaining("no program"),
  });
  expect(await askProgram("sh", ["-c", "kill -SEGV $$"])).toMatchObject({
    status: undefined,
    complaint: "sh was ended by SIGSEGV",
  });
  expect(await askProgram("sh", ["-c", "echo no >&2; exit 3"])).toEqual({ status: 3, stdout: "", complaint: "no" });
});
