import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ConfigKeeper } from "../../../src/config-source/config-keeper.ts";
import { KeptSnapshots } from "../../../src/config-source/kept-snapshots.ts";
import type { ObjectText } from "../../../src/policy/document.ts";
import type { NodeLabels } from "../../../src/policy/node-selector.ts";
import type { SecretSteps } from "../../../src/policy/secret-steps.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { objectText, plainSpec, secretSpec } from "../../fake/object-text.ts";
import { plainOptions } from "../../fake/policy-text.ts";
import { ConfigReportLog, MemoryStore, ScriptedSource } from "../../fake/scripted-source.ts";

const steps: SecretSteps = { kind: "text", text: "9301/udp, 7302, 8303" };
const missing: SecretSteps = { kind: "trouble", code: "secret-missing" };

let clock: FakeClock;
let store: MemoryStore;
let labels: NodeLabels | undefined;
let source: ScriptedSource;
let report: ConfigReportLog;
let keeper: ConfigKeeper;

beforeEach(() => {
  clock = new FakeClock();
  store = new MemoryStore();
  labels = { role: "bastion" };
});

afterEach(() => keeper.close());

/** An agent whose API has these objects. */
async function begin(documents: readonly ObjectText[], failures: readonly string[] = []): Promise<void> {
  source = new ScriptedSource("crd");
  source.snapshot = { documents, failures };
  report = new ConfigReportLog();
  keeper = new ConfigKeeper({
    sources: [source],
    compileOptions: plainOptions,
    nodeLabels: () => labels,
    clock,
    report,
    kept: new KeptSnapshots({ store, clock, warned: () => {} }),
    apply: async () => {},
  });
  const started = keeper.start();
  await settle();
  await started;
}

async function change(documents: readonly ObjectText[]): Promise<void> {
  source.snapshot = { documents, failures: [] };
  source.send();
  await settle();
}

/** Lets everything be done that is due, the second look too. */
async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    clock.advance(1000);
  }
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

function inForce(): readonly string[] {
  return keeper.lastGood?.policies.map(({ name, opens }) => `${name} ${opens?.forMicros}`).sort() ?? [];
}

const ssh = (secret: SecretSteps, opensFor = "30s") =>
  objectText({ ...secretSpec, opens: { ports: [22], for: opensFor } }, secret, "ssh");
const web = (opensFor: string) => objectText({ ...plainSpec, opens: { ports: [80], for: opensFor } }, undefined, "web");

test("a change of the node's labels is weighed again", async () => {
  await begin([objectText({ ...plainSpec, nodeSelector: { role: "bastion" } }, undefined, "ssh")]);
  expect(inForce()).toHaveLength(1);
  labels = { role: "web" };
  keeper.weighAgain();
  await settle();
  expect(inForce()).toEqual([]);
  expect(source.rereads).toBe(1); // what was lost was looked for again
});

test("one whose Secret is gone is kept in its earlier version, beside later versions of others", async () => {
  await begin([ssh(steps), web("30s")]);
  await change([ssh(missing, "60s"), web("60s")]);
  expect(inForce()).toEqual(["bastion/ssh 30000000", "bastion/web 60000000"]);
  await keeper.close();
  await begin([], ["The Kubernetes API cannot be reached."]);
  expect(inForce()).toEqual(["bastion/ssh 30000000", "bastion/web 60000000"]);
  expect(report.lines).toEqual([expect.stringMatching(/^restored 2/)]);
});

test("at a start without the API nothing is taken that is for other nodes", async () => {
  await begin([web("30s"), objectText({ ...plainSpec, nodeSelector: { role: "web" } })]);
  await keeper.close();
  await begin([], ["The Kubernetes API cannot be reached."]);
  expect(inForce()).toEqual(["bastion/web 30000000"]);
});
