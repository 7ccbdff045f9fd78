import { expect, test } from "vitest";
import { watchFor } from "../../src/capture-watch.ts";
import { formatPort, portOfKey } from "../../src/policy/port.ts";
import { samplePolicy } from "../fake/sample-policy.ts";

test("steps and decoys of opening and closing sequences are watched, nothing else", () => {
  const policy = samplePolicy({ steps: ["7000/udp", "8000/tcp"], closedBy: ["9000/tcp"], decoys: ["7001/udp"] });
  const watched = [...watchFor([policy], []).ports].map((key) => formatPort(portOfKey(key))).sort();
  expect(watched).toEqual(["7000/udp", "7001/udp", "8000/tcp", "9000/tcp"]);
});

test("the filter may demand only flags that every policy demands", () => {
  const syn = samplePolicy({ name: "syn" });
  const fin = samplePolicy({ name: "fin", flags: { must: 0x01, mustNot: 0x12 } });
  expect(watchFor([syn], []).flags).toEqual({ must: 0x02, mustNot: 0x10 });
  expect(watchFor([syn, fin], []).flags).toEqual({ must: 0, mustNot: 0x10 });
  expect(watchFor([], []).flags).toEqual({ must: 0, mustNot: 0 });
});

test("the target of a sequence that is matched as knockd does counts though it may not be ours", () => {
  const policy = samplePolicy({ target: "192.0.2.99" });
  const strict = { ...policy, opensBy: { ...policy.opensBy, matching: "Knockd" as const } };
  expect(watchFor([policy], []).extraTargets).toEqual([]);
  expect(watchFor([strict], []).extraTargets).toEqual([{ address: policy.opensBy.target, prefixBits: 128 }]);
  expect(watchFor([strict], "everything").extraTargets).toBe("everything");
});
