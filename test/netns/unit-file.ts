import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A unit of deploy/systemd, as far as tests need to read it. */
export class UnitFile {
  /** As systemd is given it. */
  readonly text: string;

  constructor(name: string) {
    this.text = readFileSync(fileURLToPath(new URL(`../../deploy/systemd/${name}`, import.meta.url)), "utf8");
  }

  /** The values of a setting, in order. */
  values(setting: string): readonly string[] {
    return [...this.text.matchAll(new RegExp(`^${setting}=(.*)$`, "gm"))].map(([, value = ""]) => value);
  }

  /** The command line of `ExecStart`, a word each, with the folder of the state put in the place of systemd's. */
  command(stateDir: string): readonly string[] {
    const [line = "", ...more] = this.values("ExecStart");
    if (line === "" || more.length > 0) throw new Error("the unit has not one ExecStart");
    return line.split(" ").map((word) => word.replace("/var/lib/knockgate", stateDir));
  }
}
