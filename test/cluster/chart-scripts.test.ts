import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Cluster } from "./cluster.ts";
import { apply } from "./manifests.ts";
import { PlayedRelease } from "./played-release.ts";
import { sharedCluster } from "./shared-cluster.ts";

let cluster: Cluster;
beforeAll(() => {
  cluster = sharedCluster();
});

describe("helm test", () => {
  const make = (values = {}) => PlayedRelease.make(cluster, { watched: "gate-knockgate", script: "Pod" }, values);

  test("passes when every agent is ready", async () => {
    const release = await make();
    await release.play(2, [
      { node: "one", isReady: true },
      { node: "two", isReady: true },
    ]);
    const { code, stdout } = await release.run();
    expect([code, stdout]).toEqual([0, "pod-0 on one: ready\npod-1 on two: ready\n"]);
  });

  test.each([
    { name: "an agent is not ready", desired: 1, pods: [{ node: "one" }], says: "pod-0 on one is not ready" },
    {
      name: "one is missing",
      desired: 2,
      pods: [{ node: "one", isReady: true }],
      says: "2 agents are wanted, 1 are there",
    },
    { name: "no node is a bastion", desired: 0, pods: [], says: "no node fits" },
  ])("fails when $name", async ({ desired, pods, says }) => {
    const release = await make();
    await release.play(desired, pods);
    const { code, stderr } = await release.run();
    expect([code, stderr]).toEqual([1, expect.stringContaining(says)]);
  });

  test("asks the agents themselves for their version where they can be reached", async () => {
    const versions = ["0.1.0", "0.1.0", "0.1.0", "0.2.0"];
    const agent = createServer((_request, answer) =>
      answer.end(`knockgate_build_info{revision="a",version="${versions.shift()}"} 1\n`),
    );
    await new Promise<void>((resolve) => agent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void agent.close());
    const release = await make({ listen: { address: "PodIP" } });
    await release.play(2, [
      { node: "one", isReady: true },
      { node: "two", isReady: true },
    ]);
    const port = { PORT: String((agent.address() as AddressInfo).port) };
    expect(await release.run(port)).toMatchObject({ code: 0, stdout: expect.stringContaining("ready, version 0.1.0") });
    expect(await release.run(port)).toMatchObject({ code: 1, stderr: expect.stringContaining("0.1.0, 0.2.0") });
  });
});

describe("the wait for the cleanup", () => {
  const make = () => PlayedRelease.make(cluster, { watched: "gate-knockgate-cleanup", script: "Job" });

  test("removes what the agents wrote of the nodes that are cleaned, and of no others", async () => {
    const release = await make();
    const [mine, other] = [`${release.namespace}-mine`, `${release.namespace}-other`];
    const row = (name: string) => ({ apiVersion: "knockgate.io/v1alpha1", kind: "KnockNode", metadata: { name } });
    const lease = { name: "knockgate", namespace: release.namespace };
    await apply(cluster, row(mine), row(other), {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: lease,
    });
    await release.play(1, [{ node: mine, isReady: true }]);
    expect(await release.run()).toMatchObject({ code: 0, stdout: "the table is removed from 1 nodes\n", stderr: "" });
    const rows = await cluster.expect(["get", "kn", "-o", "name"]);
    expect(rows).not.toContain(mine);
    expect(rows).toContain(other);
    expect(await cluster.expect(["get", "lease", "-n", release.namespace, "-o", "name"])).toBe("");
    expect(await release.run()).toMatchObject({ code: 0 }); // a second time there is nothing to remove
  });

  test("is not held up by a node that is gone, and names it", async () => {
    const release = await make();
    await release.play(2, [{ node: "alive", isReady: true }, { node: "gone" }]);
    const { code, stdout } = await release.run();
    expect([code, stdout]).toEqual([0, expect.stringMatching(/removed from 1 nodes\nnot reached: gone;/)]);
  });

  test("fails where a node was reached and its table stays", async () => {
    const release = await make();
    await release.play(2, [
      { node: "alive", isReady: true },
      { node: "stubborn", initExitCode: 1 },
    ]);
    const { code, stderr } = await release.run();
    expect([code, stderr]).toEqual([1, expect.stringContaining("not removed from stubborn")]);
  });

  test("fails where nobody makes pods of the DaemonSet", async () => {
    const { code, stderr } = await (await make()).run();
    expect([code, stderr]).toEqual([1, expect.stringContaining("no controller has looked at it")]);
  });
});
