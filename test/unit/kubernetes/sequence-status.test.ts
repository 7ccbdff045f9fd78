import { expect, test } from "vitest";
import { objectText } from "../../../src/config-source/crd-source.ts";
import { conditionsOf } from "../../../src/kubernetes/condition.ts";
import type { KubeObject } from "../../../src/kubernetes/resource.ts";
import { SequenceStatus } from "../../../src/kubernetes/sequence-status.ts";
import { verdictOf } from "../../../src/policy/object-verdict.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { StoredObjects } from "../../fake/stored-objects.ts";

const sequences = { group: "knockgate.io", version: "v1alpha1", plural: "knocksequences" };

function setUp() {
  const clock = new FakeClock();
  const api = new StoredObjects();
  const state = { leads: true };
  const said: string[] = [];
  const status = new SequenceStatus({
    client: api,
    clock,
    leads: () => state.leads,
    verdictOf: (object) => verdictOf(objectText(object)),
    said: ({ metadata }, { reason }) => void said.push(`${metadata.name} ${reason}`),
    failed: () => undefined,
  });
  const put = async (name: string, port: number, generation = 1): Promise<KubeObject> => {
    const spec = { knock: { steps: ["7312/udp", "9127/tcp", "8845/udp"] }, opens: { ports: [port], for: "30s" } };
    const address = { kind: sequences, namespace: "bastion", name };
    const body = { metadata: { name, namespace: "bastion", uid: `uid-${name}`, generation }, spec };
    return (await api.patch(address, { kind: "apply", body, manager: "kubectl", force: true })).body;
  };
  const stored = async (name: string) => (await api.get({ kind: sequences, namespace: "bastion", name })).body;
  return { clock, api, state, said, status, put, stored };
}

const statusWrites = (api: StoredObjects) => api.writes.filter((write) => write.endsWith("/status"));

test("says whether each is accepted, and for which generation", async () => {
  const { clock, status, put, stored } = setUp();
  status.take([await put("ssh", 22, 3), await put("clash", 9127)]);
  await clock.advanceAsync(1000, 50);
  expect(conditionsOf(await stored("ssh"))).toEqual([
    expect.objectContaining({ type: "Accepted", status: "True", reason: "Accepted", observedGeneration: 3 }),
  ]);
  const [clash] = conditionsOf(await stored("clash"));
  expect(clash).toMatchObject({ status: "False", reason: "StepGuarded" });
  expect(clash?.message).toContain("spec.knock.steps[1]");
  expect(clash?.message).not.toContain("9127");
});

test("writes nothing where the status says so already, and once for a change", async () => {
  const { clock, api, said, status, put, stored } = setUp();
  status.take([await put("ssh", 22)]);
  await clock.advanceAsync(1000, 50);
  status.take([await stored("ssh")]);
  status.lead();
  await clock.advanceAsync(1000, 50);
  expect(statusWrites(api)).toHaveLength(1);
  await put("ssh", 9127, 2);
  status.take([await stored("ssh")]);
  await clock.advanceAsync(1000, 50);
  expect(statusWrites(api)).toHaveLength(2);
  expect(said).toEqual(["ssh Accepted", "ssh StepGuarded"]);
});

test("keeps the time of the last transition where only the generation differs", async () => {
  const { clock, status, put, stored } = setUp();
  status.take([await put("ssh", 22)]);
  await clock.advanceAsync(1000, 50);
  const [first] = conditionsOf(await stored("ssh"));
  await clock.advanceAsync(60_000);
  await put("ssh", 2222, 2);
  status.take([await stored("ssh")]);
  await clock.advanceAsync(1000, 50);
  const [second] = conditionsOf(await stored("ssh"));
  expect(second).toMatchObject({ observedGeneration: 2, lastTransitionTime: first?.lastTransitionTime });
});

test("who does not hold the Lease writes nothing, and all that is unsaid when it gets it", async () => {
  const { clock, api, state, status, put } = setUp();
  state.leads = false;
  status.take([await put("ssh", 22), await put("web", 80)]);
  await clock.advanceAsync(1000, 50);
  expect(statusWrites(api)).toEqual([]);
  state.leads = true;
  status.lead();
  await clock.advanceAsync(1000, 50);
  expect(statusWrites(api)).toHaveLength(2);
});
