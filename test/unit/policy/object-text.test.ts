import { describe, expect, test } from "vitest";
import { compile } from "../../../src/policy/compile.ts";
import type { ConfigText } from "../../../src/policy/document.ts";
import { parseSecretSteps, type SecretSteps } from "../../../src/policy/secret-steps.ts";
import { objectText, plainSpec, secretSpec } from "../../fake/object-text.ts";
import { codesOf, documentText, plainOptions, policyText } from "../../fake/policy-text.ts";

const secret = (text: string): SecretSteps => ({ kind: "text", text });

function compileObjects(...texts: readonly ConfigText[]) {
  return compile(texts, plainOptions);
}

describe("an object of the API", () => {
  test("is a policy like one in a file, and its problems name it in the version that has them", () => {
    const { policies, problems } = compileObjects(
      objectText(plainSpec, undefined, "ssh"),
      objectText({ ...plainSpec, opens: { ports: [70000], for: "30s" } }, undefined, "bad"),
    );
    expect(policies.map(({ name }) => name)).toEqual(["bastion/ssh"]);
    const [problem] = problems;
    expect(problem).toMatchObject({ code: "port-invalid", policy: "bastion/bad", field: "spec.opens.ports[0]" });
    expect(problem?.place).toEqual({
      origin: "KnockSequence bastion/bad",
      object: { namespace: "bastion", name: "bad", uid: "uid-bad", generation: 3 },
    });
  });

  test("may not run commands, whatever the flags say; nor may a text that came over the API", () => {
    const run = { opened: ["/bin/true"] };
    const text = policyText({ name: "x", steps: "[9201, 7202, 8203]", ports: "[23]" }).concat(
      "  run: { opened: [/bin/true] }\n",
    );
    const configMap = { origin: "ConfigMap bastion/gate a.yaml", format: "yaml", text, isFromApi: true } as const;
    const compilation = compile([objectText({ ...plainSpec, run }), configMap], {
      ...plainOptions,
      allowCommands: true,
    });
    expect(codesOf(compilation)).toEqual(["run-from-api spec.run", "run-from-api spec.run"]);
    expect(compilation.policies).toEqual([]);
  });
});

describe("steps from a Secret", () => {
  test("are those of the policy", () => {
    const fromSecret = compileObjects(objectText(secretSpec, secret(" 9101/udp,7102, 8103/tcp\n"), "ssh"));
    const plain = compileObjects(objectText(plainSpec, undefined, "ssh"));
    expect(fromSecret.policies).toEqual(plain.policies);
    expect(fromSecret.problems).toEqual([]);
  });

  test("that cannot be had reject the policy, and the version in force stays", () => {
    const { policies: standing } = compileObjects(objectText(secretSpec, secret("9101/udp,7102,8103"), "ssh"));
    const trouble = { kind: "trouble", code: "secret-missing" } as const;
    const after = compile([objectText(secretSpec, trouble, "ssh")], { ...plainOptions, standing });
    expect(codesOf(after)).toEqual(["previous-kept metadata.name", "secret-missing spec.knock.stepsFrom"].reverse());
    expect(after.policies).toEqual(standing);
    expect(after.rejected).toBe(1);
  });

  test("that were not kept over a restart keep the ports guarded, though nobody gets in", () => {
    const waiting = compileObjects(objectText(secretSpec, { kind: "trouble", code: "secret-not-kept" }));
    expect(waiting).toMatchObject({ policies: [], rejected: 1, guarded: [{ protocol: "tcp", port: 22 }] });
    expect(compileObjects(objectText(secretSpec, { kind: "trouble", code: "secret-missing" })).guarded).toEqual([]);
  });

  test.each(["", "7000,,8000", "7000 8000", "70000", "022", "ssh", "7000-7003", Array(33).fill("7000").join()])(
    "are not taken from %j, which is not told",
    (text) => {
      expect(parseSecretSteps(text)).toBeUndefined();
      const { problems } = compileObjects(objectText(secretSpec, secret(text)));
      expect(problems.map(({ code }) => code)).toEqual(["secret-steps-invalid"]);
      if (text !== "") expect(JSON.stringify(problems)).not.toContain(text);
    },
  );

  test.each([
    { name: "a policy's own door", texts: [objectText(secretSpec, secret("22,7102,8103"))] },
    {
      name: "another policy's door",
      texts: [
        objectText(plainSpec),
        objectText({ ...secretSpec, opens: { ports: [23], for: "1s" } }, secret("22,7,8")),
      ],
    },
    {
      name: "another policy's steps",
      texts: [objectText(plainSpec, undefined, "a"), objectText(secretSpec, secret("9101/udp,7102,8103"))],
    },
  ])("that meet $name are told without saying which, or whose", ({ texts }) => {
    const { problems } = compileObjects(...texts);
    const [problem] = problems.filter(({ severity }) => severity === "error");
    expect(problem?.field).toBe("spec.knock.stepsFrom");
    expect(problem?.message).not.toContain("bastion/a");
  });

  test.each(["1000,1001,1002", "1000,2000", "3000,2000,1000"])("are not described by a warning: %s", (text) => {
    expect(compileObjects(objectText(secretSpec, secret(text))).problems).toEqual([]);
  });

  test("are not told to be the beginning of another policy's, nor the other way round", () => {
    const long = { ...plainSpec, knock: { steps: ["9101/udp", 7102, 8103, 6104] } };
    const one = compileObjects(objectText(long), objectText(secretSpec, secret("9101/udp,7102,8103")));
    const other = compileObjects(objectText(plainSpec), objectText(secretSpec, secret("9101/udp,7102,8103,6104")));
    expect([...one.problems, ...other.problems]).toEqual([]);
  });

  test("are refused in files", () => {
    const text = policyText({ name: "x" }).replace(
      /knock: .*/,
      "knock: { stepsFrom: { secretKeyRef: { name: a, key: b } } }",
    );
    expect(codesOf(compileObjects(documentText(text)))).toEqual(["steps-from-unsupported spec.knock.stepsFrom"]);
  });
});

describe("a scope of Cluster", () => {
  const everywhere = { ...plainSpec, opens: { ...plainSpec.opens, scope: "Cluster" } };

  test("is that of an object, whose uid the policy has", () => {
    const { policies, problems } = compileObjects(objectText(everywhere, undefined, "ssh"));
    expect(policies).toMatchObject([{ uid: "uid-ssh", opens: { scope: "Cluster" } }]);
    expect(problems).toEqual([]);
  });

  test.each([{ isFromApi: false }, { isFromApi: true }])("is Node in a text, which is told: %j", (more) => {
    const text = documentText(policyText({ name: "x" }).replace(/for: \w+/, "$&, scope: Cluster"));
    const compilation = compileObjects({ ...text, ...more });
    expect(compilation.policies).toMatchObject([{ uid: undefined, opens: { scope: "Node" } }]);
    expect(codesOf(compilation)).toEqual(["scope-node-only spec.opens.scope"]);
  });

  test("of an object that was made anew is another policy", () => {
    const [one, other] = ["uid-a", "uid-b"].map((uid) => {
      const text = objectText(everywhere, undefined, "ssh");
      return compileObjects({ ...text, object: { ...text.object, uid } }).policies[0]?.fingerprint;
    });
    expect(one).not.toBe(other);
  });
});

describe("a node selector", () => {
  const bastion = { ...plainSpec, nodeSelector: { role: "bastion" } };
  const inFile = documentText(policyText({ name: "x" }).concat("  nodeSelector: { role: bastion }\n"));

  test.each([
    { name: "the labels match", nodeLabels: { role: "bastion", zone: "a" }, accepted: 1, codes: [] },
    { name: "a label differs", nodeLabels: { role: "web" }, accepted: 0, codes: [] },
    { name: "a label is missing", nodeLabels: {}, accepted: 0, codes: [] },
    { name: "an object", nodeLabels: undefined, accepted: 0, codes: ["node-unknown spec.nodeSelector"] },
  ])("decides: $name", ({ nodeLabels, accepted, codes }) => {
    const compilation = compile([objectText(bastion)], { ...plainOptions, nodeLabels });
    expect(compilation.policies).toHaveLength(accepted);
    expect(codesOf(compilation)).toEqual(codes);
  });

  test("in a file is ignored with a warning where nobody knows the labels, else obeyed", () => {
    expect(codesOf(compileObjects(inFile))).toEqual(["node-selector-ignored spec.nodeSelector"]);
    const known = compile([inFile], { ...plainOptions, nodeLabels: { role: "web" } });
    expect(known).toMatchObject({ policies: [], problems: [], declared: 0 });
  });

  test("for another node keeps whatever is wrong with the policy away from this one", () => {
    const bad = { nodeSelector: { role: "web" }, knock: 7, opens: "everything" };
    const here = { role: "bastion" };
    const clash = objectText({ ...plainSpec, nodeSelector: { role: "web" } });
    const texts = [objectText(bad), clash, objectText(plainSpec, undefined, "ssh")];
    const compilation = compile(texts, { ...plainOptions, nodeLabels: here });
    expect(compilation).toMatchObject({ problems: [], rejected: 0, unreadable: [] });
    expect(compilation.policies.map(({ name }) => name)).toEqual(["bastion/ssh"]);
  });

  test.each([{ nodeSelector: [] }, { nodeSelector: { role: 7 } }, { nodeSelector: "bastion" }])(
    "that is none is validated here: %j",
    (wrong) => {
      const compilation = compile([objectText({ ...plainSpec, ...wrong })], { ...plainOptions, nodeLabels: {} });
      expect(compilation).toMatchObject({ policies: [], rejected: 1 });
    },
  );
});
