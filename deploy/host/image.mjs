// The image of this checkout as an archive, built when anything that it is made of has changed.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { ensureBase } from "./base-image.mjs";
import { cacheFolder } from "./cache-folder.mjs";
import { ImageBuilder } from "./image-builder.mjs";
import { checkout } from "./npm-packages.mjs";

/** The name of the image in its archive. */
export const imageName = "knockgate:test";

const cache = cacheFolder("image");
/** What the Dockerfile copies, and what it is built by; as in .dockerignore. */
const ingredients = [
  ".dockerignore",
  ".npmrc",
  "Dockerfile",
  "deploy/image",
  "package-lock.json",
  "package.json",
  "src",
  "tsconfig.build.json",
  "tsconfig.json",
];
/** Archives of other states of the checkout that are kept: each is a quarter of a gigabyte. */
const keptArchives = 3;

/** The path of a `docker save` archive with the image of this checkout under `imageName`. */
export async function ensureImage() {
  const archive = join(cache, `${ingredientsHash()}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(cache, { recursive: true });
  const builder = new ImageBuilder(cache);
  try {
    await builder.ready();
    if (!existsSync(archive)) await build(builder, archive); // another run may have built it while this one waited
  } finally {
    await builder.close();
  }
  removeOld();
  return archive;
}

async function build(builder, archive) {
  const base = await ensureBase(builder);
  const args = ["--network=host", "--build-arg", `BASE=${base}`, "--build-arg", `REVISION=${revision()}`];
  // Each stage keeps a name: what is not named is removed below, and the next build would begin anew.
  for (const stage of ["compiled", "installed", "system"]) {
    const name = `knockgate-stage:${stage}`;
    await builder.expect(`Building the image: ${stage}`, "build", ...args, "--target", stage, "-t", name, checkout);
  }
  await builder.expect("Building the image", "build", ...args, "-t", imageName, checkout);
  console.log(builder.ask("history", "--format", "{{.Size}}\t{{.CreatedBy}}", imageName));
  const unfinished = `${archive}.${process.pid}`;
  await builder.expect("Writing it (docker save)", "save", "-o", unfinished, imageName);
  renameSync(unfinished, archive);
  builder.ask("image", "prune", "--force");
}

function revision() {
  const asked = spawnSync("git", ["rev-parse", "HEAD"], { cwd: checkout, encoding: "utf8" });
  return asked.status === 0 ? asked.stdout.trim() : "unknown";
}

function ingredientsHash() {
  const hash = createHash("sha256").update(process.arch);
  for (const name of ingredients.flatMap(filesOf))
    hash.update(`\n${name}\n`).update(readFileSync(join(checkout, name)));
  return hash.digest("hex").slice(0, 32);
}

function filesOf(name) {
  if (!statSync(join(checkout, name)).isDirectory()) return [name];
  return readdirSync(join(checkout, name), { withFileTypes: true })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => filesOf(`${name}/${entry.name}`));
}

function removeOld() {
  const archives = readdirSync(cache).filter((name) => name.endsWith(".tar"));
  const newestFirst = archives.map((name) => ({ name, at: statSync(join(cache, name)).mtimeMs }));
  newestFirst.sort((one, other) => other.at - one.at);
  for (const { name } of newestFirst.slice(keptArchives)) rmSync(join(cache, name), { force: true });
}
