// Installs the npm packages when the lockfile or the running Node has changed, and builds when the sources have.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CannotGoOn, lastLines, longRun } from "./progress.mjs";

/** The checkout that these scripts belong to. */
export const checkout = fileURLToPath(new URL("../../", import.meta.url));
const npmStamp = join(checkout, "node_modules/.knockgate-stamp");
const buildStamp = join(checkout, "dist/.knockgate-stamp");
const native = ["pcap", "koffi"];

/** Makes `node_modules` what the lockfile says, for this Node. */
export async function ensurePackages() {
  const lockfile = readFileSync(join(checkout, "package-lock.json"));
  const wanted = createHash("sha256")
    .update(lockfile)
    .update(process.versions.modules)
    .update(process.arch)
    .digest("hex");
  if (stampIs(npmStamp, wanted)) return;
  await npm("Installing npm packages and building the libpcap addon (npm ci)", ["ci", "--no-audit", "--no-fund"]);
  if (!native.every(loads)) {
    await npm("Building the addons that npm left out (npm rebuild)", ["rebuild", "--ignore-scripts=false", ...native]);
  }
  const broken = native.filter((name) => !loads(name));
  if (broken.length > 0)
    throw new CannotGoOn(`${broken.join(" and ")} cannot be loaded: run \`npm rebuild\` and read why.`);
  writeFileSync(npmStamp, wanted);
}

/** Compiles `src` to `dist`. */
export async function ensureBuild() {
  const wanted = sourcesHash();
  if (stampIs(buildStamp, wanted) && existsSync(join(checkout, "dist/main.js"))) return;
  const tsc = join(checkout, "node_modules/typescript/bin/tsc");
  const result = await longRun("Compiling", process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: checkout });
  if (!result.isDone) throw new CannotGoOn(`the sources do not compile:\n${lastLines(result.output)}`);
  writeFileSync(buildStamp, wanted);
}

function stampIs(file, wanted) {
  return existsSync(file) && readFileSync(file, "utf8") === wanted;
}

async function npm(what, args) {
  const program = process.env.npm_execpath;
  const command = program === undefined ? ["npm"] : [process.execPath, program];
  const env = { ...process.env, ...headers() };
  const result = await longRun(what, command[0], [...command.slice(1), ...args], { cwd: checkout, env });
  if (!result.isDone) throw new CannotGoOn(`npm could not do it:\n${lastLines(result.output, 15)}`);
}

/** Node's own headers, when they came with it, so that building the addon downloads nothing. */
function headers() {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  if (!existsSync(join(prefix, "include/node/node.h"))) return {};
  return { npm_config_nodedir: prefix, npm_package_config_node_gyp_nodedir: prefix };
}

function loads(name) {
  return spawnSync(process.execPath, ["-e", `require("${name}")`], { cwd: checkout, stdio: "ignore" }).status === 0;
}

/** Names, sizes and times of everything the build depends on. */
function sourcesHash() {
  const hash = createHash("sha256");
  const add = (path) => {
    const { mtimeMs, size } = statSync(path);
    hash.update(`${path} ${mtimeMs} ${size}\n`);
  };
  for (const name of ["tsconfig.json", "tsconfig.build.json", "package-lock.json"]) add(join(checkout, name));
  for (const name of readdirSync(join(checkout, "src"), { recursive: true }).sort()) {
    if (name.endsWith(".ts")) add(join(checkout, "src", name));
  }
  return hash.digest("hex");
}
