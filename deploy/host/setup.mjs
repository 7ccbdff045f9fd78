// Everything that must be there before Knockgate can run on a bare Debian machine, set up only where it is missing.
import { accessSync, constants } from "node:fs";
import { installPackages, missingPackages } from "./debian-packages.mjs";
import { checkout, ensureBuild, ensurePackages } from "./npm-packages.mjs";
import { CannotGoOn } from "./progress.mjs";

/** Sets up for a purpose: "run" (gateway and demo), "test" (the network tests' programs as well), "container" (a Docker engine too), "node" (what runs pods as well). */
export async function setUp(purpose) {
  requireNode();
  requireLinux();
  requireWritable();
  const missing = missingPackages(purpose);
  if (missing.length > 0) await installPackages(missing);
  await ensurePackages();
  await ensureBuild();
}

/** Packets are captured and rules are loaded only by root. */
export function requireRoot(what) {
  if (process.getuid() !== 0) throw new CannotGoOn(`not root: ${what} needs it, so run this again as root.`);
}

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new CannotGoOn(`Node ${process.versions.node} is too old: install Node 20.19 or later and run this again.`);
}

function requireWritable() {
  try {
    accessSync(checkout, constants.W_OK);
  } catch (cause) {
    throw new CannotGoOn(`${checkout} may not be written by this user: run this as its owner, or as root.`, { cause });
  }
}

function requireLinux() {
  if (process.platform === "linux") return;
  throw new CannotGoOn(`this is ${process.platform}: Knockgate needs Linux with nftables, such as Debian 12.`);
}
