import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { tcpFlag } from "../../../src/decode/knock.ts";
import { formatAddress, formatCidr } from "../../../src/policy/address.ts";
import { compile } from "../../../src/policy/compile.ts";
import { flagBits } from "../../../src/policy/flag-rule.ts";
import { formatPort, portKey } from "../../../src/policy/port.ts";
import {
  codesOf,
  compilePolicies,
  compileTexts,
  documentText,
  plainOptions,
  policyText,
} from "../../fake/policy-text.ts";

const steps = "[9101/udp, 7102, 8103]";
const others = "[9201/udp, 7202, 8203]";

describe("one policy", () => {
  test("takes its defaults", () => {
    const [policy] = compilePolicies([{ name: "ssh" }]).policies;
    expect(policy).toMatchObject({
      id: createHash("sha256").update("default/ssh").digest("hex").slice(0, 8),
      name: "default/ssh",
      opens: { ports: [{ protocol: "tcp", port: 22 }], forMicros: 30e6, established: "Keep", scope: "Node" },
      closesBy: undefined,
      run: undefined,
      opensBy: {
        action: "open",
        steps: [65536 + 9101, 7102, 8103],
        withinMicros: 15e6,
        flags: { must: tcpFlag.syn, mustNot: tcpFlag.ack },
        matching: "Tolerant",
        target: undefined,
      },
    });
    expect(policy?.opensBy.sources.map(formatCidr)).toEqual(["0.0.0.0/0", "::/0"]);
    expect(policy?.opensBy.decoys.length).toBeGreaterThanOrEqual(64);
  });

  test("names every port once, ascending, with ranges expanded", () => {
    const { policies, guarded } = compilePolicies([
      { name: "ssh", ports: "[80, 6000-6002/udp, 22/tcp, 6001/udp, 22]" },
    ]);
    expect(policies[0]?.opens?.ports.map(formatPort)).toEqual(["22/tcp", "80/tcp", "6000/udp", "6001/udp", "6002/udp"]);
    expect(guarded).toEqual(policies[0]?.opens?.ports);
  });

  test("closes by a sequence that shares all but the steps", () => {
    const knock = 'within: 5s, decoys: 8, tcpFlags: ["!rst"], target: "2001:db8::1"';
    const [policy] = compilePolicies([{ name: "ssh", knock, closedBy: others, sources: "[192.0.2.0/24]" }]).policies;
    const closing = { ...policy?.closesBy, steps: [], decoys: [], action: "open" };
    expect(closing).toEqual({ ...policy?.opensBy, steps: [], decoys: [] });
    expect(policy?.closesBy?.steps).toEqual([65536 + 9201, 7202, 8203]);
    expect(formatAddress(policy?.closesBy?.target ?? new Uint32Array(4))).toBe("2001:db8::1");
  });

  test("is served when the namespace is named", () => {
    const text = policyText({ name: "ssh" }).replace("name: ssh", "name: ssh, namespace: bastion");
    expect(compileTexts([text]).policies[0]?.name).toBe("bastion/ssh");
  });

  test("the flag bits are those that are decoded", () => {
    expect(flagBits).toEqual(tcpFlag);
  });
});

describe("decoys", () => {
  test("are never a step, a guarded or a served port of anybody", () => {
    const many = Array.from({ length: 40 }, (_, at) => ({
      name: `p${at}`,
      steps: `[${1000 + at * 7}, ${500 - at}/udp, ${300 + at}]`,
      ports: `[${2000 + at}]`,
      knock: "decoys: 256",
    }));
    const served = [{ protocol: "tcp", port: 80 }] as const;
    const guards = [{ protocol: "tcp", port: 443 }] as const;
    const { policies } = compilePolicies(many, { served, guards });
    const taken = new Set([80, 443]);
    for (const { opensBy, opens } of policies)
      for (const key of [...opensBy.steps, ...(opens?.ports.map(portKey) ?? [])]) taken.add(key);
    expect(policies.flatMap(({ opensBy }) => opensBy.decoys.filter((key) => taken.has(key)))).toEqual([]);
    expect(policies.every(({ opensBy }) => opensBy.decoys.length > 200)).toBe(true);
  });
});

describe("fingerprints", () => {
  const fingerprintOf = (...policies: Parameters<typeof compilePolicies>[0]) =>
    compilePolicies(policies).policies[0]?.fingerprint;
  const plain = { name: "ssh", steps } as const;

  test("stay when another policy arrives and takes a decoy away", () => {
    expect(fingerprintOf(plain, { name: "b", steps: "[7101, 9100/udp, 8104]" })).toBe(fingerprintOf(plain));
  });

  test("stay when the same is said in other words", () => {
    const same = {
      name: "ssh",
      steps: "[9101/udp, 7102/tcp, '8103']",
      opensFor: "30000ms",
      sources: '["::/0", 0.0.0.0/0]',
    };
    expect(fingerprintOf(same)).toBe(fingerprintOf(plain));
  });

  test.each([
    { ...plain, steps: others },
    { ...plain, name: "ssh2" },
    { ...plain, ports: "[22, 23]" },
    { ...plain, opensFor: "31s" },
    { ...plain, knock: "within: 14s" },
    { ...plain, knock: "decoys: 65" },
    { ...plain, knock: "tcpFlags: [syn]" },
    { ...plain, knock: "target: 192.0.2.1" },
    { ...plain, sources: "[192.0.2.0/24]" },
    { ...plain, closedBy: others },
  ])("change with $name $knock $ports $opensFor $sources $closedBy", (changed) => {
    expect(fingerprintOf(changed)).not.toBe(fingerprintOf(plain));
  });
});

describe("policies side by side", () => {
  test.each([
    {
      name: "disjoint sources",
      first: { sources: "[192.0.2.0/25]" },
      second: { sources: "[192.0.2.128/25]" },
      problems: [],
    },
    {
      name: "different targets",
      first: { knock: "target: 192.0.2.1" },
      second: { knock: "target: 192.0.2.2" },
      problems: [],
    },
    {
      name: "a target and none",
      first: { knock: "target: 192.0.2.1" },
      second: {},
      problems: ["steps-taken spec.knock.steps"],
    },
    {
      name: "none and a target",
      first: {},
      second: { knock: "target: 192.0.2.1" },
      problems: ["steps-taken spec.knock.steps"],
    },
    { name: "a family each", first: { sources: "[0.0.0.0/0]" }, second: { sources: '["::/0"]' }, problems: [] },
    {
      name: "a source inside",
      first: { sources: "[10.0.0.0/8]" },
      second: { sources: "[10.1.2.3]" },
      problems: ["steps-taken spec.knock.steps"],
    },
    {
      name: "a source around",
      first: { sources: "[10.1.2.3]" },
      second: { sources: "[10.0.0.0/8]" },
      problems: ["steps-taken spec.knock.steps"],
    },
  ])("the same steps with $name: $problems", ({ first, second, problems }) => {
    expect(
      codesOf(
        compilePolicies([
          { name: "a", steps, ...first },
          { name: "b", steps, ...second },
        ]),
      ),
    ).toEqual(problems);
  });

  test("one closing sequence may serve several policies, and may not open another", () => {
    const close = "[9301/udp, 7302, 8303]";
    const both = [
      { name: "a", steps, closedBy: close },
      { name: "b", steps: others, closedBy: close },
    ];
    expect(codesOf(compilePolicies(both))).toEqual([]);
    expect(codesOf(compilePolicies([...both, { name: "c", steps: close }]))).toEqual(["steps-taken spec.knock.steps"]);
    expect(codesOf(compilePolicies([{ name: "c", steps: close }, ...both]))).toEqual([
      "steps-taken spec.closedBy.steps",
      "steps-taken spec.closedBy.steps",
    ]);
  });

  test("a rejected policy takes nothing from those after it", () => {
    const { policies, problems, rejected } = compilePolicies([
      { name: "a", steps },
      { name: "b", steps, ports: "[7202]" },
      { name: "c", steps: others },
    ]);
    expect(policies.map(({ name }) => name)).toEqual(["default/a", "default/c"]);
    expect(problems.map(({ policy }) => policy)).toEqual(["default/b"]);
    expect(rejected).toBe(1);
  });

  test("a closing step may not be guarded either, and a door may not be a closing step", () => {
    const problems = codesOf(
      compilePolicies([
        { name: "a", steps, closedBy: "[9301/udp, 7302, 8303]", ports: "[5001]" },
        { name: "b", steps: others, ports: "[7302]" },
        { name: "c", steps: "[9401/udp, 7402, 8403]", closedBy: "[9501/udp, 5001, 8503]" },
      ]),
    );
    expect(problems).toEqual(["port-knocked spec.opens.ports[0]", "step-guarded spec.closedBy.steps[1]"]);
  });

  test("--guard is as good as a door", () => {
    const guards = [
      { protocol: "tcp", port: 7102 },
      { protocol: "udp", port: 53 },
    ] as const;
    const compilation = compilePolicies(
      [
        { name: "a", steps },
        { name: "b", steps: others },
      ],
      { guards },
    );
    expect(codesOf(compilation)).toEqual(["step-guarded spec.knock.steps[1]"]);
    expect(compilation.guarded.map(formatPort)).toEqual(["22/tcp", "7102/tcp", "53/udp"]);
  });

  test("a critical --guard is not guarded unless that is allowed", () => {
    const guards = [{ protocol: "tcp", port: 6443 }] as const;
    expect(compilePolicies([], { guards })).toMatchObject({
      guarded: [],
      problems: [{ code: "port-critical", place: { origin: "--guard" } }],
    });
    expect(compilePolicies([], { guards, allowCritical: true })).toMatchObject({ guarded: guards, problems: [] });
    expect(codesOf(compilePolicies([{ name: "a", ports: "[6443, 10250]" }], { allowCritical: true }))).toEqual([]);
  });

  test("one Cut makes a port cutting", () => {
    const cut = policyText({ name: "a", steps, ports: "[22, 23]" }).replace("30s }", "30s, established: Cut }");
    const compilation = compileTexts([cut, policyText({ name: "b", steps: others, ports: "[23, 24]" })]);
    expect(compilation.cutting.map(formatPort)).toEqual(["22/tcp", "23/tcp"]);
    expect(codesOf(compilation)).toEqual(["established-differs spec.opens.ports[0]"]);
  });

  test("beginnings are told where one knock could meet both, closing sequences included", () => {
    const longer = "[9101/udp, 7102, 8103, 9999]";
    const told = ["steps-beginning spec.knock.steps"];
    expect(
      codesOf(
        compilePolicies([
          { name: "b", steps: longer },
          { name: "a", steps },
        ]),
      ),
    ).toEqual(told);
    expect(codesOf(compilePolicies([{ name: "a", steps, closedBy: longer }]))).toEqual(told);
    const apart = { name: "b", steps: longer, sources: "[192.0.2.0/24]" };
    expect(codesOf(compilePolicies([{ name: "a", steps, sources: "[198.51.100.0/24]" }, apart]))).toEqual([]);
    const targeted = { ...apart, knock: "target: 192.0.2.8" };
    expect(codesOf(compilePolicies([{ name: "a", steps, knock: "target: 192.0.2.9" }, targeted]))).toEqual([]);
  });
});

describe("with policies in force", () => {
  const a = { name: "a", steps, ports: "[5001]" } as const;
  const b = { name: "b", steps: others, ports: "[5002]" } as const;
  const standing = compilePolicies([a, b]).policies;

  test("a new version that is wrong leaves the old one in force", () => {
    const compilation = compilePolicies([{ ...a, opensFor: "soon" }, b], { standing });
    expect(codesOf(compilation)).toEqual(["previous-kept metadata.name", "duration-invalid spec.opens.for"]);
    expect(compilation.policies.map(({ fingerprint }) => fingerprint).sort()).toEqual(
      standing.map(({ fingerprint }) => fingerprint).sort(),
    );
    expect(compilation.rejected).toBe(1);
  });

  test("a new version that conflicts leaves the old one in force", () => {
    const changed = { ...a, ports: "[7202]" };
    for (const policies of [
      [changed, b],
      [b, changed],
    ]) {
      const compilation = compilePolicies(policies, { standing });
      expect(codesOf(compilation)).toEqual(["previous-kept metadata.name", "port-knocked spec.opens.ports[0]"]);
      expect(compilation.guarded.map(formatPort)).toEqual(["5001/tcp", "5002/tcp"]);
    }
  });

  test("a newcomer does not displace what is in force by standing before it", () => {
    const compilation = compilePolicies([{ name: "new", steps, ports: "[5003]" }, a, b], { standing });
    expect(compilation.policies.map(({ name }) => name).sort()).toEqual(["default/a", "default/b"]);
    expect(compilation.problems.map(({ policy, code }) => `${policy} ${code}`)).toEqual(["default/new steps-taken"]);
    expect(compilation.rejected).toBe(1);
  });

  test("a kept version gives up decoys that are needed elsewhere", () => {
    const decoy = standing[0]?.opensBy.decoys[0] ?? 0;
    const step = `${decoy & 0xffff}/${decoy >= 65536 ? "udp" : "tcp"}`;
    const { policies } = compilePolicies(
      [
        { ...a, opensFor: "soon" },
        { ...b, steps: `[${step}, 7202, 8203]` },
      ],
      { standing },
    );
    const kept = policies.find(({ name }) => name === "default/a");
    expect(kept?.opensBy.decoys).not.toContain(decoy);
    expect(kept?.opensBy.decoys.length).toBeGreaterThan(60);
  });

  test("a policy that is not named any more is gone", () => {
    expect(compilePolicies([b], { standing }).policies.map(({ name }) => name)).toEqual(["default/b"]);
  });
});

describe("many policies", () => {
  const thousand = Array.from({ length: 1000 }, (_, at) => ({
    name: `p${at}`,
    steps: "[9101/udp, 7102, 8103]",
    sources: `[10.${at >> 8}.${at & 255}.0/24, 172.16.${at >> 4}.${(at & 15) << 4}/28]`,
    ports: `[${20000 + at}]`,
  }));

  test("a thousand tenants may share their steps as long as their sources differ", () => {
    const { policies, problems, guarded } = compilePolicies(thousand);
    expect(problems).toEqual([]);
    expect(policies.length).toBe(1000);
    expect(guarded.length).toBe(1000);
  });

  test("one source too many is found among them", () => {
    const last = { name: "last", steps: "[9101/udp, 7102, 8103]", sources: "[192.0.2.0/24, 10.2.77.5]" };
    const { problems } = compilePolicies([...thousand, last]);
    expect(problems.map(({ policy, code, message }) => [policy, code, message.includes("default/p589")])).toEqual([
      ["default/last", "steps-taken", true],
    ]);
  });

  test("problems are counted, not listed without end", () => {
    const bad = Array.from({ length: 2500 }, () => "apiVersion: v1\nkind: Pod\n");
    const { problems, unreadable } = compileTexts(bad);
    expect(problems.length).toBe(2001);
    expect(problems.at(-1)?.code).toBe("problems-left-out");
    expect(unreadable).toEqual([]);
  });
});

describe("what hides policies", () => {
  test.each([
    ["YAML that does not parse", "a: [1\n"],
    ["a kind that is misspelt", "apiVersion: knockgate.io/v1alpha1\nkind: KnockSequnce\nmetadata: { name: ssh }\n"],
    ["another version", "apiVersion: knockgate.io/v2\nkind: KnockSequence\nmetadata: { name: ssh }\n"],
    ["a name that is none", policyText({ name: "Ssh" })],
    ["a document without a kind", "replicas: 1\n"],
  ])("is %s", (_, text) => {
    expect(compileTexts([text]).unreadable.length).toBeGreaterThan(0);
  });

  test.each([
    ["a rejected policy", policyText({ name: "ssh", opensFor: "soon" })],
    ["a resource of another kind", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ssh }\n"],
    ["one of Knockgate's own", "apiVersion: knockgate.io/v1alpha1\nkind: KnockNode\nmetadata: { name: ssh }\n"],
    ["an empty document", "# nothing\n"],
  ])("is not %s", (_, text) => {
    expect(compileTexts([text]).unreadable).toEqual([]);
  });
});

test("problems come in the order of the texts, then of the lines", () => {
  const bad = (name: string) => policyText({ name, opensFor: "soon", knock: "within: soon" });
  const texts = ["b.yaml", "a.yaml"].map((origin) => ({
    ...documentText(bad(`${origin.charAt(0)}1`), bad(`${origin.charAt(0)}2`)),
    origin,
  }));
  const { problems } = compile(texts, plainOptions);
  expect(problems.map(({ place }) => `${place.origin}:${place.line}`)).toEqual([
    "b.yaml:5",
    "b.yaml:6",
    "b.yaml:12",
    "b.yaml:13",
    "a.yaml:5",
    "a.yaml:6",
    "a.yaml:12",
    "a.yaml:13",
  ]);
});
