import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runToEnd } from "./running-process.ts";
import { UnitFile } from "./unit-file.ts";

const folder = mkdtempSync(join(tmpdir(), "knockgate-units-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("systemd finds nothing wrong with the units, and they are ordered before what needs them", async () => {
  const files = ["knockgate-boot.service", "knockgate.service", "knockgate-knockd.service"].map((name) => {
    const file = join(folder, name);
    // Where Node is on this machine: systemd looks for programs in a few folders only.
    writeFileSync(file, new UnitFile(name).text.replace(/^ExecStart=node /m, `ExecStart=${process.execPath} `));
    return file;
  });
  const verdict = await runToEnd("systemd-analyze", ["verify", "--man=no", ...files]);
  expect(verdict).toMatchObject({ code: 0, stderr: "", stdout: "" });
});

test("the agent's unit gives exactly the capabilities that it needs, and the boot unit less", () => {
  const agent = new UnitFile("knockgate.service");
  expect(agent.values("CapabilityBoundingSet")).toEqual(["CAP_NET_ADMIN CAP_NET_RAW CAP_SETUID CAP_SETGID"]);
  expect(agent.values("NoNewPrivileges")).toEqual(["yes"]);
  expect(new UnitFile("knockgate-boot.service").values("CapabilityBoundingSet")).toEqual(["CAP_NET_ADMIN"]);
});
