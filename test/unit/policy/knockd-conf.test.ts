import { describe, expect, test } from "vitest";
import { compile } from "../../../src/policy/compile.ts";
import { readKnockdConf } from "../../../src/policy/knockd-conf.ts";
import { readNumber, readSteps, readTarget } from "../../../src/policy/knockd-values.ts";
import { markOneTimeLine, readOneTimeLine } from "../../../src/policy/one-time.ts";
import { formatPort, portOfKey } from "../../../src/policy/port.ts";
import { knockdCases } from "../../fake/knockd-cases.ts";
import { plainOptions } from "../../fake/policy-text.ts";

const options = { ...plainOptions, allowCommands: true };

function compileConf(text: string, oneTimeFiles: Readonly<Record<string, string>> = {}, changes = {}) {
  const document = { origin: "knockd.conf", format: "knockd-conf", text, oneTimeFiles } as const;
  return compile([document], { ...options, ...changes });
}

/** Lines and codes of all problems. */
function problemsOf(text: string, changes = {}) {
  return compileConf(text, {}, changes).problems.map(({ place, code }) => `${place.line} ${code}`);
}

describe("knockd's own verdict on a configuration", () => {
  test.each(knockdCases.config_cases.map((one) => ({ ...one, title: `${one.kind}: ${one.name}` })))(
    "$title",
    ({ conf, accepted, message, files }) => {
      const { faults } = readKnockdConf(conf, files ?? {});
      const errors = compileConf(conf, files).problems.filter(({ severity }) => severity === "error");
      expect({ accepted: faults.length === 0, message: faults[0]?.knockdWords ?? null }).toEqual({ accepted, message });
      expect(errors.length === 0).toBe(accepted);
    },
  );
});

test("every fault of a file is told at once, with its line, and sound doors are read all the same", () => {
  const text = `interface = eth0
[options]
  logfile /var/log/knockd.log
[ssh]
  sequence = 7000,80000
  tcpflags = syn, ack
[]
[web]
  sequence = 4000,4200,4100
`;
  expect(problemsOf(text)).toEqual([
    "1 knockd-no-section",
    "3 knockd-syntax",
    "5 knockd-port",
    "6 knockd-flag",
    "7 knockd-section-name",
  ]);
  const { policies, unreadable } = compileConf(text);
  expect(policies.map(({ name }) => name)).toEqual(["knockd/web"]);
  expect(unreadable).toHaveLength(5);
});

test("a door becomes a policy that is matched as knockd does, with its commands", () => {
  const [policy] = compileConf(`[open SSH]
  sequence = 7000:udp,8000
  seq_timeout = 5 # five
  tcpflags = syn
  tcpflags = !ack
  target = 2001:db8::1
  command = open %IP%
  command_6 = open6 %IP%
  cmd_timeout = 7
  stop_command = close %IP%
`).policies;
  expect(policy).toMatchObject({
    name: "knockd/open SSH",
    opensBy: { withinMicros: 5e6, matching: "Knockd", flags: { must: 2, mustNot: 16 }, decoys: [] },
    opens: undefined,
    run: {
      opened: "open %IP%",
      openedV6: "open6 %IP%",
      closed: "close %IP%",
      closedV6: "close %IP%",
      forMicros: 7e6,
    },
    knockd: { door: "open SSH", oneTime: undefined },
  });
  expect(policy?.opensBy.steps.map(portOfKey).map(formatPort)).toEqual(["7000/udp", "8000/tcp"]);
});

test("where a family has no start command its stop command does not run either", () => {
  const door = "[a]\n sequence = 7000,8100,7900\n stop_command = close\n";
  const runOf = (more: string) => compileConf(`${door}${more}`).policies[0]?.run;
  expect(runOf("")).toBeUndefined();
  expect(runOf(" command = open\n command_6 =\n")).toMatchObject({ opened: "open", openedV6: "", closedV6: "" });
  expect(runOf(" command_6 = open6\n")).toMatchObject({ opened: "", closed: "", openedV6: "open6", closedV6: "close" });
});

test("two sections of one name are two policies, and two doors may have the same steps", () => {
  const door = "[ssh]\n sequence = 7000,8100,7900\n command = open\n";
  const { policies, rejected } = compileConf(`${door}${door}${door.replace("ssh", "ssh#2")}`);
  expect(policies.map(({ name }) => name)).toEqual(["knockd/ssh", "knockd/ssh#2", "knockd/ssh#2#2"]);
  expect(rejected).toBe(0);
});

test("commands need --allow-commands, and what looks like a slip is warned of", () => {
  const door = "[a]\n sequence = 7000,,8000\n timeout = soon\n target = gate.example\n command = open\n";
  expect(problemsOf(door, { allowCommands: false })).toContain("5 run-not-allowed");
  expect(problemsOf(door)).toEqual(["2 step-zero", "3 within-nothing", "4 target-never-matches"]);
});

test("a one-time door has the steps of its first unused line, and its end is no fault of the file", () => {
  const conf = "[once]\n one_time_sequences = seqs\n command = open\n";
  const [policy] = compileConf(conf, { seqs: "#7000,8000\n 7100,8200,8100\n" }).policies;
  expect(policy?.knockd?.oneTime).toEqual({ file: "seqs", line: 2, text: " 7100,8200,8100", next: [] });
  const used = compileConf(conf, { seqs: "#7000,8000\n" });
  expect(used.policies).toEqual([]);
  expect(used.unreadable).toEqual([]);
  expect(used.problems.map(({ code }) => code)).toEqual(["one-time-exhausted"]);
});

test("a used line is marked in front and stays readable, unless it has changed", () => {
  const text = "# list\n 7000,8000\r\n 7100\n";
  const current = readOneTimeLine(text);
  expect(current).toMatchObject({ line: 2, text: " 7000,8000\r" });
  const marked = markOneTimeLine(text, 2, " 7000,8000\r");
  expect(marked).toBe("# list\n# 7000,8000\r\n 7100\n");
  expect(markOneTimeLine(marked ?? "", 2, " 7000,8000\r")).toBeUndefined();
});

test.each([
  ["5 # five", 5],
  [" +7", 7],
  ["-1", -1],
  ["soon", 0],
  ["", 0],
  ["4294967296", 0],
  ["9".repeat(60), -1],
])("the number %j is read as %d, as C's atoi does", (text, value) => {
  expect(readNumber(text)).toBe(value);
});

test.each([
  ["-1", [65535]],
  ["abc", [0]],
  ["7000: UDP ,8000:tcp:syn", [65536 + 7000, 8000]],
])("the sequence %j", (text, value) => {
  expect(readSteps(text)).toEqual({ value });
});

test.each(["300.1.1.1", "192.0.2.0/24", "", "a b"])("the target %j is refused", (text) => {
  expect(readTarget(text)).toMatchObject({ wrong: "target-unreadable" });
});
