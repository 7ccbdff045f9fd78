import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CaptureProcess } from "../../../src/capture/capture-process.ts";
import { endAtOnce } from "../../../src/capture/process-starter.ts";
import { systemClock } from "../../../src/clock.ts";

const program = fileURLToPath(new URL("../../fixture/hostile-child.mjs", import.meta.url));
const open = {
  kind: "open",
  taps: [],
  check: { version: 1, ports: [], flags: { must: 2, mustNot: 16 }, extraTargets: [], local: [] },
} as const;

/** A real process in the place of the child, with the descriptors of the real one. */
function endingAfter(attack: string): Promise<string> {
  const stdio = ["pipe", "pipe", "pipe", "pipe"] as const;
  const starter = { start: () => spawn(process.execPath, [program, attack], { stdio: [...stdio] }), endAtOnce };
  return new Promise((resolve) => {
    const nothing = () => undefined;
    const records = { knock: nothing, traffic: nothing, discarded: nothing, ringFull: nothing };
    const ended = (cause: string, message: string) => resolve(`${cause}: ${message}`);
    const { ready, checked, faulty } = { ready: nothing, checked: nothing, faulty: nothing };
    new CaptureProcess(systemClock, starter, open, { records, ready, checked, faulty, ended });
  });
}

test.each([
  "a line that is not JSON",
  "an internal command of Node's channel",
  "a message of no known kind",
  "a line without an end",
])("a capture child that says %s is ended, and the agent lives", async (attack) => {
  expect(await endingAfter(attack)).toBe(
    "error: The capture child was ended by SIGKILL. The capture child said something that cannot be understood.",
  );
});
