// Programs that tests run, built once from Go modules of their own into a cache outside the checkout.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "./cache-folder.mjs";
import { CannotGoOn, lastLines, longRun } from "./progress.mjs";

/**
 * A set of programs, by name: `module` is the folder of its go.mod, `source` the package, `flags` what the linker is told
 * besides, `takes` how long that takes on two cores, in words.
 */
export class GoPrograms {
  constructor(folderName, programs) {
    /** Where they lie when they are built. */
    this.folder = cacheFolder(folderName);
    this.programs = programs;
  }

  /** What is missing on this machine to have them; undefined when they are there or can be built. */
  obstacle() {
    const outdated = this.outdated();
    if (outdated.length === 0) return undefined;
    // In the module's folder, where Go takes the version that go.mod asks for, if it can.
    const asked = spawnSync("go", ["env", "GOVERSION"], { cwd: this.programs[outdated[0]].module, encoding: "utf8" });
    const [, major, minor] = /^go(\d+)\.(\d+)/.exec(asked.stdout ?? "") ?? [];
    if (Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 26)) return undefined;
    return `Go 1.26 or later to build ${outdated.join(", ")}`;
  }

  /** Builds those missing; resolves to their folder. */
  async ensure() {
    mkdirSync(this.folder, { recursive: true });
    for (const name of this.outdated()) await this.build(name);
    return this.folder;
  }

  outdated() {
    return Object.keys(this.programs).filter((name) => {
      const stamp = this.stampFile(name);
      return (
        !isProgram(join(this.folder, name)) || !existsSync(stamp) || readFileSync(stamp, "utf8") !== this.stampOf(name)
      );
    });
  }

  /** Into a file of this process first: another run may be building the same, or starting it. */
  async build(name) {
    const { module, source, flags, takes } = this.programs[name];
    const built = join(this.folder, `${name}.${process.pid}`);
    const args = ["build", "-ldflags", ["-s", "-w", ...flags].join(" "), "-o", built, source];
    const env = { ...process.env, CGO_ENABLED: "0" };
    try {
      const what = `Building ${name}, once; about ${takes} on two cores`;
      const result = await longRun(what, "go", args, { cwd: module, env });
      if (!result.isDone) throw new CannotGoOn(`Go could not build ${name}:\n${lastLines(result.output)}`);
      renameSync(built, join(this.folder, name));
      writeFileSync(this.stampFile(name), this.stampOf(name));
    } finally {
      rmSync(built, { force: true });
    }
  }

  stampFile(name) {
    return join(this.folder, `.${name}-stamp`);
  }

  /** Everything that a program is built from, and for. */
  stampOf(name) {
    const { module, source, flags } = this.programs[name];
    const hash = createHash("sha256").update([process.arch, source, ...flags].join("\n"));
    for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(module, file)));
    return hash.digest("hex");
  }
}

/** Whether a file may be run. */
export function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
