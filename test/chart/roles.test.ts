import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { find, type Rendered, render, shapes, type Values } from "./chart.ts";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** `verbs what where`, for each rule of the agents; hooks have service accounts of their own. */
async function rights(values: Values): Promise<readonly string[]> {
  const roles = (await render(values)).filter(({ kind, metadata }) => /Role$/.test(kind) && !metadata.annotations);
  return roles.flatMap((role) => {
    const where = role.metadata.namespace ?? "everywhere";
    return (role as Rendered & { readonly rules: readonly Rule[] }).rules.map(
      ({ resources, resourceNames, verbs }) =>
        `${verbs} ${resources}${resourceNames ? `/${resourceNames}` : ""} ${where}`,
    );
  });
}

const policies = (where: string) => [
  `list,watch knocksequences ${where}`,
  `patch knocksequences/status,knockgrants/status ${where}`,
  `create,patch events ${where}`,
  `list,watch,create,get,delete knockgrants ${where}`,
];
const ownNode = [
  "list,watch nodes everywhere",
  "create,patch knocknodes everywhere",
  "patch knocknodes/status everywhere",
];
const lease = ["create leases bastion", "get,patch leases/knockgate bastion"];

test.each<{ readonly name: string; readonly values: Values; readonly wanted: readonly string[] }>([
  { name: "objects of its own namespace", values: {}, wanted: [...ownNode, ...policies("bastion"), ...lease] },
  {
    name: "objects of other namespaces: the Lease stays at home",
    values: { crd: { namespaces: ["one", "two"] } },
    wanted: [...ownNode, ...lease, ...policies("one"), ...policies("two")],
  },
  {
    name: "objects of all namespaces",
    values: { crd: { allNamespaces: true } },
    wanted: ["list,watch nodes everywhere", ...policies("everywhere"), ...ownNode.slice(1), ...lease],
  },
  {
    name: "Secrets by their names alone",
    values: { crd: { secrets: [{ name: "knocks" }, { name: "more", namespace: "two" }] } },
    wanted: [
      ...ownNode,
      ...policies("bastion"),
      ...lease,
      "list,watch secrets/knocks bastion",
      "list,watch secrets/more two",
    ],
  },
  {
    name: "a ConfigMap by its name alone, and no objects",
    values: { crd: { enabled: false }, watchedConfigMaps: ["one/policies"] },
    wanted: ["list,watch nodes everywhere", "list,watch configmaps/policies one"],
  },
  { name: "files alone: nothing", values: shapes["file-only"] ?? {}, wanted: [] },
  { name: "a sidecar: nothing", values: shapes.sidecar ?? {}, wanted: [] },
  { name: "switched off", values: { rbac: { create: false } }, wanted: [] },
])("$name", async ({ values, wanted }) => {
  expect([...(await rights(values))].sort()).toEqual([...wanted].sort());
});

test("every role is bound to the agents' account, and to nobody else", async () => {
  const objects = (await render(shapes["knock-sequences"])).filter(({ metadata }) => !metadata.annotations);
  const bindings = objects.filter(({ kind }) => kind.endsWith("RoleBinding"));
  const roles = objects.filter(({ kind }) => /Role$/.test(kind));
  expect(bindings.map(({ kind, metadata }) => [`${metadata.namespace}`, kind.replace("Binding", "")])).toEqual(
    roles.map(({ kind, metadata }) => [`${metadata.namespace}`, kind]),
  );
  for (const binding of bindings) {
    expect(binding.subjects).toEqual([{ kind: "ServiceAccount", name: "gate-knockgate", namespace: "bastion" }]);
  }
});

test("an account that is there is used, and none is made", async () => {
  const objects = await render({ serviceAccount: { create: false, name: "gatekeeper" } });
  expect(objects.filter(({ kind, metadata }) => kind === "ServiceAccount" && !metadata.annotations)).toEqual([]);
  expect(find(objects, "ClusterRoleBinding", "bastion-gate-knockgate")).toMatchObject({
    subjects: [{ name: "gatekeeper" }],
  });
});

/** `verb resource` and, for things by name, that they are: what a role allows, whatever its name and place. */
function allowed(objects: readonly Rendered[]): readonly string[] {
  const roles = objects.filter(({ kind, metadata }) => /Role$/.test(kind) && !metadata.annotations);
  const rights = roles.flatMap((role) =>
    (role as Rendered & { readonly rules: readonly Rule[] }).rules.flatMap(
      ({ apiGroups, resources, resourceNames, verbs }) =>
        resources.flatMap((resource) =>
          verbs.map((verb) => `${verb} ${resource}.${apiGroups[0]}${resourceNames ? " by name" : ""}`),
        ),
    ),
  );
  return [...new Set(rights)].sort();
}

test("the chart and deploy/agent.yaml allow the same", async () => {
  const text = readFileSync(new URL("../../deploy/agent.yaml", import.meta.url), "utf8");
  const shipped = parseAllDocuments(text).map((document) => document.toJS() as Rendered);
  const everything = { crd: { secrets: [{ name: "knocks" }] }, watchedConfigMaps: ["bastion/policies"] };
  expect(allowed(await render(everything))).toEqual(allowed(shipped));
});

test("the admission policy is about the agents' own account", async () => {
  const policy = find(await render({ serviceAccount: { name: "gatekeeper" } }), "ValidatingAdmissionPolicy");
  expect(policy?.metadata.name).toBe("bastion-gate-knockgate-own-node");
  expect(policy?.spec).toMatchObject({
    matchConditions: [{ expression: "request.userInfo.username == 'system:serviceaccount:bastion:gatekeeper'" }],
  });
  const off = [{ admissionPolicy: { enabled: false } }, shapes["file-only"], shapes.sidecar];
  for (const values of off) expect(find(await render(values), "ValidatingAdmissionPolicy")).toBeUndefined();
});
