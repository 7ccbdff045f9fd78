// The image that ours is built upon: the official one, or where no image can be pulled a stand-in with its layout.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CannotGoOn, lastLines, longRun } from "./progress.mjs";

const official = "node:24-bookworm-slim";
/** Named after how it is made: another way is another name. */
const standIn = "knockgate-base:24-bookworm-1";
const certificates = "/etc/ssl/certs/ca-certificates.crt";

/** The name of a base image that the builder has. */
export async function ensureBase(builder) {
  for (const name of [official, standIn]) if (builder.has(name)) return name;
  const pulled = await builder.run(`Pulling ${official} (docker pull)`, "pull", "--quiet", official);
  if (pulled.isDone) return official;
  console.log(
    `It cannot be pulled (${lastLines(pulled.output, 1)}): a stand-in is made of Debian's and npm's packages.`,
  );
  await makeStandIn(builder);
  return standIn;
}

async function makeStandIn(builder) {
  const folder = mkdtempSync(join(tmpdir(), `kg-image-${process.pid}-0-`));
  try {
    const root = join(folder, "root");
    const variant = ["--variant=minbase", "--include=ca-certificates"];
    await expect("Making a Debian 12 (debootstrap)", "debootstrap", [...variant, "bookworm", root, ...mirror()]);
    await addNode(root, folder);
    const environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
    // This machine's authorities: behind a proxy that looks into TLS npm trusts nobody else.
    copyFileSync(certificates, join(root, certificates));
    environment.push(`NODE_EXTRA_CA_CERTS=${certificates}`);
    for (const rest of ["var/cache/apt/archives", "var/lib/apt/lists"]) rmSync(join(root, rest), { recursive: true });
    const archive = join(folder, "root.tar");
    await expect("Packing it", "tar", ["-C", root, "-cf", archive, "."]);
    const changes = environment.flatMap((one) => ["--change", `ENV ${one}`]);
    await builder.expect("Importing it (docker import)", "import", ...changes, archive, standIn);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Node and npm where the official image has them: below /usr/local. */
async function addNode(root, folder) {
  const arch = process.arch === "x64" ? "x64" : "arm64";
  const local = join(root, "usr/local");
  const npm = join(local, "lib/node_modules/npm");
  mkdirSync(npm, { recursive: true });
  await unpack(`node-linux-${arch}@24`, folder, local, ["package/bin", "package/include"]);
  await unpack("npm@11", folder, npm, []);
  chmodSync(join(local, "bin/node"), 0o755);
  for (const name of ["npm", "npx"]) {
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, "bin", name));
  }
}

async function unpack(name, folder, into, members) {
  const packed = join(folder, name.replace(/@.*/, ""));
  mkdirSync(packed);
  await expect(`Fetching ${name} (npm pack)`, "npm", ["pack", "--silent", "--pack-destination", packed, name]);
  const [archive] = readdirSync(packed);
  const owner = ["--no-same-owner", "--strip-components=1"];
  await expect(`Unpacking ${name}`, "tar", ["-xzf", join(packed, archive), ...owner, "-C", into, ...members]);
}

/** Where this machine's apt finds Debian; none when it does not say, and debootstrap knows one itself. */
function mirror() {
  const asked = spawnSync("apt-get", ["indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)"], {
    encoding: "utf8",
  });
  const line = (asked.stdout ?? "").split("\n").find((one) => one.startsWith("bookworm main "));
  return line === undefined ? [] : [line.split(" ")[2]];
}

async function expect(what, command, args) {
  const { isDone, output } = await longRun(what, command, args);
  if (!isDone) throw new CannotGoOn(`${command} could not do it:\n${lastLines(output, 15)}`);
}
