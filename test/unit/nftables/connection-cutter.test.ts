import { expect, test } from "vitest";
import { cutArguments, SocketCutter } from "../../../src/nftables/connection-cutter.ts";
import type { ProgramResult } from "../../../src/nftables/program.ts";
import { address, port } from "../../fixture/ruleset-spec.ts";

const fine: ProgramResult = { status: 0, stdout: "", stderr: "" };

test("names the peer in both of its forms, and never leaves the filter out", () => {
  const options = ["-K", "-H", "-n", "-t", "state", "connected"];
  expect(cutArguments(address("192.0.2.1"), port("22/tcp"))).toEqual([
    ...options,
    "( dst 192.0.2.1 or dst [::ffff:192.0.2.1] ) and sport = :22",
  ]);
  expect(cutArguments(address("2001:db8::1"), port("22/tcp"))).toEqual([
    ...options,
    "( dst [2001:db8::1] ) and sport = :22",
  ]);
});

test("runs four at once, in order, and tells what failed", async () => {
  const warnings: string[] = [];
  const waiting: ((result: ProgramResult) => void)[] = [];
  const cutter = new SocketCutter(
    (message) => warnings.push(message),
    () => new Promise((resolve) => waiting.push(resolve)),
  );
  const cuts = [1, 2, 3, 4, 5, 6].map((number) => cutter.cut(address("192.0.2.1"), port(`${number}/tcp`)));
  expect(waiting).toHaveLength(4);
  waiting[0]?.({ ...fine, status: 1, stderr: "ss: no\nmore" });
  await cuts[0];
  expect(waiting).toHaveLength(5);
  for (let at = 1; at < 6; at++) {
    waiting[at]?.(at === 5 ? { ...fine, status: undefined } : fine);
    await cuts[at];
  }
  expect(warnings).toEqual([
    "connections to port 1 could not be cut: ss: no",
    "connections to port 6 could not be cut: ss failed",
  ]);
});

test("leaves UDP to the rules", async () => {
  await new SocketCutter(expect.fail, expect.fail).cut(address("192.0.2.1"), port("53/udp"));
});
