import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runToEnd } from "../netns/running-process.ts";
import { type Container, podOf } from "./agent-pod.ts";
import { find, render, shapes } from "./chart.ts";

/** Runs the shell script of a container on a folder that stands for the node's units. */
async function runOn(folder: string, container: Container | undefined): Promise<void> {
  const [shell = "", flags = "", script = ""] = container?.command ?? [];
  const env = Object.fromEntries((container?.env ?? []).map(({ name, value = "" }) => [name, value]));
  const { code, stderr } = await runToEnd(shell, [flags, script.replaceAll("/units", folder)], { env });
  expect([code, stderr]).toEqual([0, ""]);
}

test("the boot unit names the state folder, and may write to the folder of units alone", async () => {
  const pod = podOf(find(await render(shapes["boot-unit"]), "DaemonSet", "gate-knockgate"));
  const installer = pod.initContainers?.[0];
  expect(installer?.env?.[0]?.value).toContain("ExecStart=nft -f /srv/knockgate/ruleset.nft");
  expect(installer?.env?.[0]?.value).not.toContain("/var/lib/knockgate");
  expect(installer).toMatchObject({ volumeMounts: [{ name: "units", mountPath: "/units" }] });
  expect(pod.volumes).toContainEqual({ name: "units", hostPath: { path: "/etc/systemd/system", type: "Directory" } });
});

test("the unit is enabled as systemctl would, again and again, and removed with the release", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kg-units-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const objects = await render({ bootUnit: { install: true } });
  const installer = podOf(find(objects, "DaemonSet", "gate-knockgate")).initContainers?.[0];
  await runOn(folder, installer);
  await runOn(folder, installer);
  const shipped = new URL("../../deploy/systemd/knockgate-boot.service", import.meta.url);
  expect(readFileSync(join(folder, "knockgate-boot.service"), "utf8")).toBe(readFileSync(shipped, "utf8"));
  expect(readlinkSync(join(folder, "sysinit.target.wants/knockgate-boot.service"))).toBe("../knockgate-boot.service");
  expect(readdirSync(folder).sort()).toEqual(["knockgate-boot.service", "sysinit.target.wants"]);

  await runOn(folder, podOf(find(objects, "DaemonSet", "gate-knockgate-cleanup")).initContainers?.[0]);
  expect(readdirSync(folder)).toEqual(["sysinit.target.wants"]);
  expect(readdirSync(join(folder, "sysinit.target.wants"))).toEqual([]);
});
