import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bootUnits } from "../../../src/doctor/host-facts.ts";

const shipped = fileURLToPath(new URL("../../../deploy/systemd", import.meta.url));
const stateDir = "/var/lib/knockgate";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "knockgate-units-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the unit that is shipped loads the table at boot once it is enabled; that of the agent does not", () => {
  expect(bootUnits(stateDir, [folder])).toEqual([]);
  for (const name of ["knockgate.service", "knockgate-boot.service"])
    copyFileSync(join(shipped, name), join(folder, name));
  expect(bootUnits(stateDir, [folder])).toEqual([{ name: "knockgate-boot.service", enabled: false }]);
  mkdirSync(join(folder, "sysinit.target.wants"));
  symlinkSync("../knockgate-boot.service", join(folder, "sysinit.target.wants", "knockgate-boot.service"));
  expect(bootUnits(`${stateDir}/`, [folder])).toEqual([{ name: "knockgate-boot.service", enabled: true }]);
});

test("a unit that loads the table of another state directory is none", () => {
  copyFileSync(join(shipped, "knockgate-boot.service"), join(folder, "knockgate-boot.service"));
  expect(bootUnits("/srv/knockgate", [folder])).toEqual([]);
});
