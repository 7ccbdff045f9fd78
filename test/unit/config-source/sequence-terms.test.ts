import { expect, test } from "vitest";
import { SequenceTerms } from "../../../src/config-source/sequence-terms.ts";
import type { KubeObject } from "../../../src/kubernetes/resource.ts";
import { plainSpec, secretSpec } from "../../fake/object-text.ts";

function sequence(name: string, spec: object): KubeObject {
  return { metadata: { namespace: "bastion", name, uid: `uid-${name}` }, spec } as KubeObject;
}

const forOthers = { ...plainSpec, nodeSelector: { role: "web" }, sources: ["192.0.2.0/24"] };
const opened = { opens: { ports: [{ port: 22, protocol: "tcp" }], forMicros: 30e6 } };

test("are those of every KnockSequence, whatever node it is for and wherever its steps are", () => {
  const terms = new SequenceTerms();
  terms.take([sequence("ssh", plainSpec), sequence("web", forOthers), sequence("hidden", secretSpec)], true);
  for (const name of ["ssh", "web", "hidden"]) expect(terms.of(`bastion/${name}`)).toMatchObject(opened);
  expect(terms.of("bastion/web")).toMatchObject({ opensBy: { sources: [{ prefixBits: 96 + 24 }] } });
});

test("are unreadable where this version cannot read the object, and follow it when it changes", () => {
  const terms = new SequenceTerms();
  terms.take([sequence("ssh", { ...plainSpec, fromTheFuture: true })], true);
  expect(terms.of("bastion/ssh")).toBe("unreadable");
  terms.take([sequence("ssh", plainSpec)], true);
  expect(terms.of("bastion/ssh")).toMatchObject(opened);
});

test("are missing only once every list is known", () => {
  const terms = new SequenceTerms();
  expect(terms.of("bastion/ssh")).toBe("unknown");
  terms.take([], false);
  expect(terms.of("bastion/ssh")).toBe("unknown");
  terms.take([], true);
  expect(terms.of("bastion/ssh")).toBe("missing");
});
