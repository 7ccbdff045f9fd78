import { expect, test } from "vitest";
import { objectText } from "../../../src/config-source/crd-source.ts";
import { verdictOf } from "../../../src/policy/object-verdict.ts";

const good = { knock: { steps: ["7312/udp", "9127/tcp", "8845/udp"] }, opens: { ports: [22], for: "30s" } };
const verdict = (spec: unknown) => {
  const metadata = { name: "ssh", namespace: "bastion", uid: "u", generation: 1 };
  return verdictOf(objectText({ metadata, spec } as Parameters<typeof objectText>[0]));
};

test.each([
  { what: "a sound policy", spec: good, reason: "Accepted" },
  { what: "one for some nodes", spec: { ...good, nodeSelector: { role: "bastion" } }, reason: "Accepted" },
  {
    what: "one whose steps a Secret holds, whatever that holds",
    spec: { ...good, knock: { stepsFrom: { secretKeyRef: { name: "knocks", key: "ssh" } } } },
    reason: "Accepted",
  },
  {
    what: "a port that is knocked on and opened",
    spec: { ...good, opens: { ports: [9127], for: "30s" } },
    reason: "StepGuarded",
  },
  { what: "a command", spec: { ...good, run: { opened: ["true"] } }, reason: "RunFromApi" },
  { what: "a field that is not known", spec: { ...good, extra: 1 }, reason: "FieldUnknown" },
  { what: "nothing", spec: undefined, reason: "FieldMissing" },
  { what: "what no server would send", spec: [[[null]]], reason: "TypeWrong" },
])("$what: $reason", ({ spec, reason }) => {
  const { accepted, reason: said, message } = verdict(spec);
  expect(said).toBe(reason);
  expect(accepted).toBe(reason === "Accepted");
  for (const step of ["7312", "9127", "8845"]) expect(message).not.toContain(step);
});

test("warnings are told of a policy that is accepted", () => {
  expect(verdict({ ...good, knock: { steps: ["7000", "7001", "7002"] } })).toMatchObject({
    accepted: true,
    message: expect.stringContaining("spec.knock.steps"),
  });
});
