import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Snapshot } from "../../../src/config-source/config-source.ts";
import { CrdSource } from "../../../src/config-source/crd-source.ts";
import type { KubeObject } from "../../../src/kubernetes/resource.ts";
import type { NodeLabels } from "../../../src/policy/node-selector.ts";
import { FakeApi } from "../../fake/fake-api.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { plainSpec, secretSpec } from "../../fake/object-text.ts";
import { fakeWatches, settled, WatchedSource } from "../../fake/watched-source.ts";

let clock: FakeClock;
let api: FakeApi;
let labels: NodeLabels | undefined;
let source: CrdSource;
let watched: WatchedSource;

beforeEach(() => {
  clock = new FakeClock();
  api = new FakeApi();
  labels = { role: "bastion" };
});

afterEach(async () => {
  await source.close();
  expect(clock.pendingTimers).toBe(0);
  expect(api.openWatches).toBe(0);
});

function kseq(name: string, more: { spec?: object; uid?: string; born?: string; namespace?: string } = {}): KubeObject {
  const { spec = plainSpec, uid = `uid-${name}`, born = "2026-11-01T00:00:00Z", namespace = "bastion" } = more;
  const metadata = { namespace, name, uid, generation: 2, creationTimestamp: born, labels: { a: "b" } };
  return { metadata, ...{ spec, status: { conditions: [] } } };
}

function secret(name: string, data: Record<string, string>): KubeObject {
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text, "latin1").toString("base64")]);
  return { metadata: { namespace: "bastion", name, uid: name }, ...{ data: Object.fromEntries(encoded) } };
}

async function start(of: readonly string[] | "all" = ["bastion"]): Promise<Snapshot> {
  const namespaces = of === "all" ? undefined : of;
  source = new CrdSource({ watches: fakeWatches(api, clock), clock, namespaces, nodeLabels: () => labels });
  watched = new WatchedSource(source, clock);
  await watched.start();
  return watched.last();
}

function origins({ documents }: Snapshot): readonly string[] {
  return documents.map(({ origin }) => origin.replace("KnockSequence ", ""));
}

/** What the policies got from their Secrets: a text, or the trouble. */
function secrets({ documents }: Snapshot): readonly (string | undefined)[] {
  return documents.map((document) => {
    const held = document.format === "object" ? document.secret : undefined;
    return held?.kind === "text" ? held.text : held?.code;
  });
}

describe("KnockSequences of the API", () => {
  test("are documents that carry who they are, and only what people write", async () => {
    api.put("knocksequences", kseq("ssh"));
    expect((await start()).documents).toEqual([
      {
        origin: "KnockSequence bastion/ssh",
        format: "object",
        object: { namespace: "bastion", name: "ssh", uid: "uid-ssh", generation: 2 },
        value: {
          apiVersion: "knockgate.io/v1alpha1",
          kind: "KnockSequence",
          metadata: { namespace: "bastion", name: "ssh" },
          spec: plainSpec,
        },
      },
    ]);
  });

  test("come by age, then by uid, whatever their names", async () => {
    api.put("knocksequences", kseq("a", { born: "2026-11-03T00:00:00Z" }));
    api.put("knocksequences", kseq("b", { born: "2026-11-02T00:00:00Z", uid: "2" }));
    api.put("knocksequences", kseq("c", { born: "2026-11-02T00:00:00Z", uid: "1" }));
    expect(origins(await start())).toEqual(["bastion/c", "bastion/b", "bastion/a"]);
  });

  test("are those of the namespaces named, or of all", async () => {
    for (const namespace of ["bastion", "web", "other"]) api.put("knocksequences", kseq(namespace, { namespace }));
    expect(origins(await start(["web", "bastion"]))).toEqual(["bastion/bastion", "web/web"]);
    await source.close();
    expect(origins(await start("all"))).toHaveLength(3);
  });

  test("are delivered whole when one comes, changes or goes, many changes once", async () => {
    await start();
    const before = watched.seen.length;
    for (let at = 0; at < 50; at++) api.put("knocksequences", kseq(`p${at}`));
    expect(origins(await watched.last())).toHaveLength(50);
    expect(watched.seen.length).toBe(before + 1);
    api.remove("knocksequences", kseq("p7"));
    expect(origins(await watched.last())).toHaveLength(49);
  });

  test("stay when the API is lost, without a failure", async () => {
    api.put("knocksequences", kseq("ssh"));
    await start();
    api.fail("knocksequences", "unreachable");
    const lost = await watched.last();
    expect([origins(lost), lost.failures]).toEqual([["bastion/ssh"], []]);
  });

  test("that cannot be listed at the start are a failure until they can", async () => {
    api.fail("knocksequences", "missing");
    const { failures } = await start();
    expect(failures).toEqual([
      "The KnockSequences of namespace bastion cannot be read: the Kubernetes API does not have it.",
    ]);
    api.fail("knocksequences", undefined);
    api.put("knocksequences", kseq("ssh"));
    clock.advance(15_000);
    const later = await watched.last();
    expect([origins(later), later.failures]).toEqual([["bastion/ssh"], []]);
  });
});

describe("reading again", () => {
  test("asks the API anew", async () => {
    await start();
    api.lists.length = 0;
    await source.reread();
    expect(api.lists).toEqual(["knocksequences bastion"]);
  });

  test("is a failure when the API cannot be asked, until a watch shows that nothing was missed", async () => {
    api.put("knocksequences", kseq("ssh"));
    await start();
    api.fail("knocksequences", "unreachable");
    await source.reread();
    const { documents, failures } = await watched.last();
    expect(documents).toHaveLength(1);
    expect(failures).toEqual([
      "The KnockSequences of namespace bastion cannot be read: the Kubernetes API cannot be reached.",
    ]);
    api.fail("knocksequences", undefined);
    clock.advance(30_000);
    expect((await watched.last()).failures).toEqual([]);
  });
});

describe("Secrets", () => {
  test("are read by name, only those that policies of this node name", async () => {
    api.put("knocksequences", kseq("here", { spec: { ...secretSpec, nodeSelector: { role: "bastion" } } }));
    const other = { ...secretSpec.knock.stepsFrom.secretKeyRef, name: "theirs" };
    const elsewhere = { knock: { stepsFrom: { secretKeyRef: other } }, nodeSelector: { role: "web" } };
    api.put("knocksequences", kseq("there", { spec: elsewhere }));
    api.put("secrets", secret("knocks", { ssh: "7001,7003,7002" }));
    expect(secrets(await start())).toEqual(["7001,7003,7002", undefined]);
    expect(api.lists).not.toContain("secrets bastion metadata.name=theirs");
    labels = { role: "web" };
    source.labelsChanged();
    expect(secrets(await watched.last())).toEqual([undefined, "secret-missing"]);
    expect(api.openWatches).toBe(2); // the first Secret is not watched any more
  });

  test("that change, go or come back are told at once", async () => {
    api.put("knocksequences", kseq("ssh", { spec: secretSpec }));
    expect(secrets(await start())).toEqual(["secret-missing"]);
    api.put("secrets", secret("knocks", { ssh: "7001" }));
    expect(secrets(await watched.last())).toEqual(["7001"]);
    api.put("secrets", secret("knocks", { ssh: "7002" }));
    expect(secrets(await watched.last())).toEqual(["7002"]);
    api.put("secrets", secret("knocks", { other: "7002" }));
    expect(secrets(await watched.last())).toEqual(["secret-key-missing"]);
    api.put("secrets", secret("knocks", { ssh: "\xff\xfe" }));
    expect(secrets(await watched.last())).toEqual(["secret-key-missing"]);
    api.remove("secrets", secret("knocks", {}));
    expect(secrets(await watched.last())).toEqual(["secret-missing"]);
  });

  test("that may not be read are told from an API that is lost", async () => {
    api.put("knocksequences", kseq("ssh", { spec: secretSpec }));
    api.put("secrets", secret("knocks", { ssh: "7001" }));
    await start();
    api.fail("secrets", "unreachable");
    expect(secrets(await watched.last())).toEqual(["7001"]);
    api.fail("secrets", "forbidden");
    clock.advance(60_000);
    expect(secrets(await watched.last())).toEqual(["secret-forbidden"]);
    api.fail("secrets", undefined);
    clock.advance(15_000);
    expect(secrets(await watched.last())).toEqual(["7001"]);
  });

  test("of a new policy are there when it is delivered", async () => {
    api.put("secrets", secret("knocks", { ssh: "7001" }));
    await start();
    api.put("knocksequences", kseq("ssh", { spec: secretSpec }));
    await watched.last();
    const told = watched.seen.filter(({ documents }) => documents.length > 0).map(secrets);
    expect(new Set(told.flat())).toEqual(new Set(["7001"]));
  });

  test("are bounded", async () => {
    for (let at = 0; at < 130; at++) {
      const reference = { secretKeyRef: { name: `s${String(at).padStart(3, "0")}`, key: "k" } };
      api.put("knocksequences", kseq(`p${at}`, { spec: { knock: { stepsFrom: reference } } }));
      api.put("secrets", secret(reference.secretKeyRef.name, { k: "7001" }));
    }
    const found = secrets(await start());
    expect(found.filter((text) => text === "7001")).toHaveLength(128);
    expect(found.filter((text) => text === "secrets-too-many")).toHaveLength(2);
  });
});

test("closing while it starts ends everything", async () => {
  source = new CrdSource({ watches: fakeWatches(api, clock), clock, namespaces: ["a"], nodeLabels: () => labels });
  const delivered: Snapshot[] = [];
  const starting = source.start((snapshot) => void delivered.push(snapshot));
  await source.close();
  await starting;
  await settled();
  expect(delivered).toEqual([]);
});
