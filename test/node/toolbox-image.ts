import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runToEnd } from "../netns/running-process.ts";

/** Debian's static busybox and nothing else; by default it waits, which is all that a sandbox does. */
export const toolboxImage = "knockgate.test/toolbox:1";

const busybox = "/bin/busybox";

/**
 * Writes a `docker save` archive with the image into a folder; resolves to its path. The format: manifest.json names a
 * configuration, whose `diff_ids` are the digests of the layers (OCI image-spec, config.md).
 */
export async function buildToolboxImage(folder: string): Promise<string> {
  const place = join(folder, "toolbox");
  mkdirSync(join(place, "root/bin"), { recursive: true });
  mkdirSync(join(place, "root/tmp"));
  copyFileSync(busybox, join(place, "root", busybox));
  await tar(join(place, "layer.tar"), join(place, "root"), "bin", "tmp");
  const digest = createHash("sha256")
    .update(readFileSync(join(place, "layer.tar")))
    .digest("hex");
  const configuration = {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Cmd: [busybox, "sleep", "2147483647"], Env: ["PATH=/bin"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
  };
  writeFileSync(join(place, "config.json"), JSON.stringify(configuration));
  const manifest = [{ Config: "config.json", RepoTags: [toolboxImage], Layers: ["layer.tar"] }];
  writeFileSync(join(place, "manifest.json"), JSON.stringify(manifest));
  const archive = join(folder, "toolbox.tar");
  await tar(archive, place, "manifest.json", "config.json", "layer.tar");
  return archive;
}

async function tar(archive: string, folder: string, ...members: readonly string[]): Promise<void> {
  const { code, stderr } = await runToEnd("tar", ["-cf", archive, "-C", folder, ...members]);
  if (code !== 0) throw new Error(`tar: ${stderr}`);
}
