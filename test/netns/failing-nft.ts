import { chmodSync, cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { World } from "./world.ts";

/**
 * How the stand-in for the program nft behaves: like the real one; like one from before 1.0.1, which does not know the
 * words of the ruleset; or like a kernel that is out of memory, for everything or only for what changes something.
 */
export type NftManner = "works" | "old" | "failing" | "failing to write";

const libraryFolder = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];

/**
 * A host's nftables as tests want it: for who is started `through` it, libnftables.so.1 is an empty file, in a mount
 * namespace of its own, and the program nft is a script that fails as it is told.
 */
export class FailingNft {
  /** For AgentProcess. */
  readonly through: readonly string[];
  /** For AgentProcess: finds the script before the real program, or no program at all. */
  readonly env: Readonly<Record<string, string>>;
  readonly #mannerFile: string;

  constructor(world: World, manner: NftManner | "absent") {
    const folder = join(world.folder, `nft-${Math.random().toString(36).slice(2)}`);
    this.#mannerFile = join(folder, "manner");
    mkdirSync(join(folder, "lib"), { recursive: true });
    mkdirSync(join(folder, "bin"));
    const [found] = libraryFolder.flatMap((place) => libraryIn(place));
    if (found === undefined) throw new Error("libnftables.so.1 is not installed: install the package nftables");
    cpSync(found, join(folder, "lib", "libnftables.so.1"), { dereference: true });
    const hide = `mount --bind /dev/null ${found} && exec "$@"`;
    this.through = [
      "unshare",
      "--mount",
      "sh",
      "-c",
      manner === "absent" ? `${hideProgram(folder)} && ${hide}` : hide,
      "sh",
    ];
    this.env = { PATH: `${join(folder, "bin")}:${process.env.PATH ?? ""}:/usr/sbin:/sbin` };
    if (manner === "absent") return;
    this.behave(manner);
    writeFileSync(join(folder, "bin", "nft"), script(folder));
    chmodSync(join(folder, "bin", "nft"), 0o755);
  }

  /** From the next call on. */
  behave(manner: NftManner): void {
    writeFileSync(this.#mannerFile, manner);
  }
}

function libraryIn(place: string): string[] {
  try {
    return readdirSync(place).includes("libnftables.so.1") ? [join(place, "libnftables.so.1")] : [];
  } catch {
    return []; // another architecture's folder
  }
}

/** An empty folder in the place of the real program: a file that cannot be executed is no program. */
function hideProgram(folder: string): string {
  return `mkdir ${folder}/empty && mount --bind ${folder}/empty "$(dirname "$(readlink -f "$(command -v nft)")")"`;
}

function script(folder: string): string {
  return `#!/bin/sh
[ "$1" = --version ] || case "$(cat ${folder}/manner)" in
  old) echo "/dev/stdin:3:28-40: Error: syntax error, unexpected string, expecting newline or semicolon" >&2; exit 1;;
  failing) echo "/dev/stdin:1:1-24: Error: Could not process rule: Cannot allocate memory" >&2; exit 1;;
  "failing to write") [ "$1" != -f ] || { echo "/dev/stdin:1:1-24: Error: Could not process rule: Cannot allocate memory" >&2; exit 1; };;
esac
LD_LIBRARY_PATH=${folder}/lib exec /usr/sbin/nft "$@"
`;
}
