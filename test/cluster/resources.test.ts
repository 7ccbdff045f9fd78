import { beforeAll, describe, expect, test } from "vitest";
import { type KnockGrantSpec, knockGrantObject } from "../../src/policy/knock-grant.ts";
import type { KnockNodeStatus } from "../../src/policy/knock-node.ts";
import { eventually } from "../netns/eventually.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const apiVersion = "knockgate.io/v1alpha1";
const lastTransitionTime = "2026-01-02T03:04:05Z";
let namespace: string;

beforeAll(async () => {
  namespace = await cluster.createNamespace();
});

/** A policy with steps that stand nowhere else in what kubectl prints. */
function sequence(name: string, annotations: Readonly<Record<string, string>> = {}): object {
  const knock = { steps: ["41901/udp", "41702/tcp", "41803/udp"] };
  const opens = { ports: ["22/tcp", "6000-6010/udp"], for: "30s" };
  return { apiVersion, kind: "KnockSequence", metadata: { name, namespace, annotations }, spec: { knock, opens } };
}

function grant(name: string, spec: unknown): object {
  return { apiVersion, kind: "KnockGrant", metadata: { name, namespace }, spec };
}

const doorOf = (more: Partial<KnockGrantSpec> = {}): KnockGrantSpec => ({
  sequenceRef: { name: "ssh" },
  source: "198.51.100.7",
  ...more,
});

/** Whether zod takes the object as the API server is asked to. */
const isSound = (spec: unknown) => knockGrantObject.safeParse({ spec }).success;

/** Creates an object, in a dry run unless told otherwise; resolves to the refusal, or undefined. */
async function create(object: object, options: readonly string[] = ["--dry-run=server"]): Promise<string | undefined> {
  const { code, stderr } = await cluster.kubectl(["create", "-f", "-", ...options], { input: JSON.stringify(object) });
  return code === 0 ? undefined : stderr;
}

/** Writes a status as agents do, by server-side apply to the subresource. */
async function applyStatus(kind: string, name: string, status: object, manager = "test"): Promise<void> {
  const metadata = kind === "KnockNode" ? { name } : { name, namespace };
  const args = ["apply", "--server-side", "--subresource=status", `--field-manager=${manager}`, "-f", "-"];
  await cluster.expect(args, { input: JSON.stringify({ apiVersion, kind, metadata, status }) });
}

/** The rows of a table that kubectl prints, split at its columns. */
function rowsOf(text: string): readonly (readonly string[])[] {
  return text
    .trim()
    .split(/\n+/)
    .map((line) => line.trim().split(/ {2,}/));
}

describe("what kubectl shows", () => {
  const nodeStatus: KnockNodeStatus = {
    nodeName: "node-a",
    mode: "enforce",
    conditions: [{ type: "Ready", status: "True", reason: "EverythingUp", lastTransitionTime }],
    policies: {
      accepted: 3,
      rejected: 1,
      rejections: [{ namespace: "bastion", name: "web", reason: "StepGuarded", message: "The step is guarded." }],
    },
    grants: 2,
    versions: { knockgate: "0.1.0", node: "24.1.0", nft: "1.0.6", libpcap: "1.10.3", kernel: "6.12" },
  };

  beforeAll(async () => {
    await create(sequence("ssh"), []);
    await create({ apiVersion, kind: "KnockNode", metadata: { name: namespace } }, []);
    await create(grant("door", doorOf({ ports: ["22/tcp"], node: "node-a", for: "10s" })), []);
    await create(grant("wide", doorOf()), []);
    await applyStatus("KnockSequence", "ssh", {
      observedGeneration: 1,
      conditions: [{ type: "Accepted", status: "True", reason: "Valid", lastTransitionTime }],
    });
    await applyStatus("KnockNode", namespace, nodeStatus);
    await applyStatus("KnockGrant", "door", { until: "2026-01-02T03:04:15Z" });
  });

  test("a row for each policy, node and open door, with what a person on call wants to know", async () => {
    const printed = await cluster.expect(["get", "kseq,kn,kgr", "-n", namespace]);
    const age = expect.stringMatching(/^\d+s$|^\d+m/);
    expect(rowsOf(printed)).toEqual([
      ["NAME", "OPENS", "FOR", "SCOPE", "ACCEPTED", "AGE"],
      ["knocksequence.knockgate.io/ssh", '["22/tcp","6000-6010/udp"]', "30s", "Node", "True", age],
      ["NAME", "READY", "MODE", "ACCEPTED", "REJECTED", "GRANTS", "AGE"],
      [`knocknode.knockgate.io/${namespace}`, "True", "enforce", "3", "1", "2", age],
      ["NAME", "SEQUENCE", "SOURCE", "NODE", "PORTS", "FOR", "UNTIL", "ACCEPTED", "AGE"],
      [
        "knockgrant.knockgate.io/door",
        "ssh",
        "198.51.100.7",
        "node-a",
        '["22/tcp"]',
        "10s",
        "2026-01-02T03:04:15Z",
        age,
      ],
      ["knockgrant.knockgate.io/wide", "ssh", "198.51.100.7", age],
    ]);
  });

  test("no step, in no column", async () => {
    for (const output of ["", "wide"]) {
      const printed = await cluster.expect(["get", "knock", "-n", namespace, ...(output && ["-o", output])]);
      expect(printed).toContain("knocksequence.knockgate.io/ssh");
      expect(printed).not.toMatch(/41901|41702|41803/);
    }
  });

  test.each([
    ["kseq.spec.knock.within", /FIELD: within <string>[\s\S]*100ms to 1h/],
    ["kseq.spec.opens", /for\s+<string> -required-[\s\S]*scope\s+<string>\s+enum: Node, Cluster/],
    ["kseq.spec", /closedBy[\s\S]*nodeSelector[\s\S]*sources/],
    ["kn.status.policies.rejections", /reason\s+<string> -required-/],
    ["kgr.spec", /source\s+<string> -required-\s+One address/],
  ])("kubectl explain %s", async (path, wanted) => {
    // The API server publishes what it knows of a CRD a moment after it has established it.
    const explained = await eventually(
      async () => {
        const { code, stdout } = await cluster.kubectl(["explain", path]);
        return code === 0 && stdout;
      },
      { what: `an explanation of ${path}`, timeoutMs: 30_000, everyMs: 200 },
    );
    expect(explained).toMatch(wanted);
  });
});

describe("a KnockGrant", () => {
  test.each<[string, unknown]>([
    ["for all ports of the policy", doorOf()],
    ["for some ports on one node", doorOf({ ports: [22, "6000-6010/udp"], node: "node-a.example.org", for: "250ms" })],
    ["for an IPv6 address until it is closed", doorOf({ source: "2001:db8::7", for: "0s" })],
  ])("%s is accepted", async (_, spec) => {
    expect(await create(grant("sound", spec))).toBeUndefined();
    expect(isSound(spec)).toBe(true);
  });

  test.each<[string, unknown, string]>([
    ["for a range", doorOf({ source: "198.51.100.0/24" }), "spec.source in body should match"],
    ["for no address", doorOf({ source: "198.51.100" }), "source: This is not an address; write one"],
    ["for too long", doorOf({ for: "721h" }), "for: The time is shorter than 100ms or longer than 720h"],
    ["without ports", doorOf({ ports: [] }), "spec.ports in body should have at least 1 items"],
    ["for too many ports", doorOf({ ports: ["6000-6100/udp"] }), "ports: The policy opens more than 64 single ports"],
    ["of no policy", { source: "198.51.100.7" }, "spec.sequenceRef: Required value"],
    ["with a misspelt field", { ...doorOf(), port: 22 }, 'unknown field "spec.port"'],
  ])("%s is refused", async (_, spec, refusal) => {
    expect(await create(grant("unsound", spec))).toContain(refusal);
    // How many single ports a grant names is counted where the policy's are.
    expect(isSound(spec)).toBe(refusal.includes("64 single ports"));
  });

  test("does not change", async () => {
    await create(grant("fixed", doorOf()), []);
    const replaced = await cluster.kubectl(["replace", "-f", "-"], {
      input: JSON.stringify(grant("fixed", doorOf({ source: "203.0.113.1" }))),
    });
    expect(replaced.stderr).toContain("spec: A grant does not change; delete it and create another.");
    const labelled = await cluster.kubectl(["label", "kgr", "fixed", "-n", namespace, "ticket=17"]);
    expect(labelled.code).toBe(0);
  });
});

describe("a status", () => {
  test("is not written with the object, and the object is not written with it", async () => {
    const status = { observedGeneration: 7 };
    await create({ ...sequence("split"), status }, []);
    const read = async (path: string) =>
      cluster.expect(["get", "kseq", "split", "-n", namespace, "-o", `jsonpath=${path}`]);
    expect(await read("{.status}")).toBe("");
    await applyStatus("KnockSequence", "split", status);
    expect(await read("{.status.observedGeneration}/{.metadata.generation}")).toBe("7/1");
  });

  test("has one condition of each type, whoever wrote it", async () => {
    await create({ apiVersion, kind: "KnockNode", metadata: { name: `${namespace}-b` } }, []);
    const condition = (type: string) => ({ type, status: "True", reason: "Fine", lastTransitionTime });
    await applyStatus("KnockNode", `${namespace}-b`, { conditions: [condition("Ready")] }, "one");
    await applyStatus("KnockNode", `${namespace}-b`, { conditions: [condition("CaptureUp")] }, "two");
    const path = "jsonpath={.status.conditions[*].type}";
    expect(await cluster.expect(["get", "kn", `${namespace}-b`, "-o", path])).toBe("Ready CaptureUp");
    const twice = { conditions: [condition("Ready"), condition("Ready")] };
    await expect(applyStatus("KnockNode", `${namespace}-b`, twice, "one")).rejects.toThrow(/duplicate entries for key/);
  });
});
