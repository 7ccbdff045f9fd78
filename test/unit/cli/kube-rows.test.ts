import { describe, expect, test } from "vitest";
import { grantRowsOf } from "../../../src/cli/kube-grant-row.ts";
import { nodeRowsOf } from "../../../src/cli/kube-node-row.ts";
import { kubeObject } from "../../fake/scripted-api.ts";

const born = "2026-01-02T03:04:05Z";
const secondsAfter = (seconds: number) => Date.parse(born) * 1000 + seconds * 1e6;

/** A KnockGrant that was created at `born`. */
function grant(name: string, spec: object, status?: object) {
  const { metadata } = kubeObject(name, "1");
  const written = { sequenceRef: { name: "ssh" }, source: "203.0.113.7", ...spec };
  return { metadata: { ...metadata, creationTimestamp: born }, spec: written, ...(status && { status }) };
}

const accepted = (status: string, reason: string) => ({
  conditions: [{ type: "Accepted", status, reason, lastTransitionTime: born }],
});

describe("a KnockGrant's row", () => {
  test.each([
    { name: "what an agent wrote", spec: { for: "30s" }, state: "open", leftSeconds: 20.5 },
    { name: "until deleted", spec: { for: "0s" }, state: "open", leftSeconds: null },
    { name: "written by hand, without for", spec: {}, state: "unknown", leftSeconds: null },
    { name: "over, not deleted yet", spec: { for: "5s" }, state: "over", leftSeconds: 0 },
    {
      name: "shorter than it asks, as an agent has written",
      spec: { for: "10m" },
      status: { until: "2026-01-02T03:04:20Z" },
      state: "open",
      leftSeconds: 5,
    },
    {
      name: "refused",
      spec: { for: "30s" },
      status: accepted("False", "SourceNotAllowed"),
      state: "refused",
      leftSeconds: null,
      reason: "SourceNotAllowed",
    },
    { name: "accepted", spec: { for: "30s" }, status: accepted("True", "Accepted"), state: "open", leftSeconds: 20.5 },
  ])("says when the door closes: $name", ({ spec, status, state, leftSeconds, reason = null }) => {
    const [row] = grantRowsOf([grant("g", spec, status)], secondsAfter(10));
    expect(row).toMatchObject({ state, leftSeconds, reason });
  });

  test("says who, what, where and by which sequence", () => {
    const [row] = grantRowsOf([grant("g", { ports: ["22/tcp", "6000-6001/udp"], node: "one" })], secondsAfter(1));
    expect(row).toMatchObject({
      source: "203.0.113.7",
      ports: ["22/tcp", "6000/udp", "6001/udp"],
      sequence: "bastion/ssh",
      node: "one",
      grant: "bastion/g",
    });
  });

  test("is left out where it opens nothing, and they are in order", () => {
    const ending = grant("ending", {});
    Object.assign(ending.metadata, { deletionTimestamp: born });
    const rows = grantRowsOf(
      [
        grant("c", { source: "203.0.113.9" }),
        grant("b", { for: "20s" }),
        grant("a", { for: "30s" }),
        ending,
        grant("odd", { source: "somewhere" }),
      ],
      secondsAfter(1),
    );
    expect(rows.map((row) => row.grant)).toEqual(["bastion/a", "bastion/b", "bastion/c"]);
  });
});

test("a node's row says what its agent has said, whatever else a newer one says", () => {
  const ready = (status: string, reason: string) => [{ type: "Ready", status, reason, lastTransitionTime: born }];
  const rows = nodeRowsOf([
    { metadata: { name: "two" }, status: { conditions: ready("False", "Ended"), grants: 0, mode: "observe" } },
    { metadata: { name: "three" } },
    { metadata: { name: "one" }, status: { conditions: ready("True", "Ready"), grants: 3, mode: "enforce", news: 1 } },
  ] as Parameters<typeof nodeRowsOf>[0]);
  expect(rows).toEqual([
    { node: "one", ready: "True", mode: "enforce", doors: 3 },
    { node: "three", ready: "Unknown", mode: null, doors: null },
    { node: "two", ready: "Ended", mode: "observe", doors: 0 },
  ]);
});
