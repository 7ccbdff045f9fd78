// Network namespaces for the demo and for `npm run try`, named after the process that made them, and gone with it.
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ours = /^kg-(?:demo|try)-(\d+)-[a-z]+/;

/** Runs ip(8) and throws its words when it fails. */
export function ip(...args) {
  const result = spawnSync("ip", args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`ip ${args.join(" ")}: ${(result.stderr || "failed").trim()}`);
  return result.stdout;
}

/** A namespace with its loopback up. */
export function addNamespace(name) {
  ip("netns", "add", name);
  ip("-n", name, "link", "set", "lo", "up");
}

/** Ends what runs in a namespace of ours and removes it, with its links. */
export function removeNamespace(name) {
  const pids = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" }).stdout ?? "";
  for (const pid of pids.split("\n").filter(Boolean)) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }
  spawnSync("ip", ["netns", "delete", name]);
}

/** Removes what a killed demo left behind. */
export function removeLeftovers() {
  const listed = spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout ?? "";
  for (const line of listed.split("\n")) {
    const [name] = line.split(" ");
    const pid = ours.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) removeNamespace(name);
  }
  for (const name of readdirSync(tmpdir())) {
    const pid = ours.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/** Gives an end of a link its addresses, usable at once, and brings it up. */
export function configure(where, link, ...addresses) {
  for (const address of addresses) {
    const family = address.includes(":") ? ["nodad"] : [];
    ip(...where, "address", "add", address, "dev", link, ...family);
  }
  ip(...where, "link", "set", link, "up");
}

/** Runs a program in a namespace to its end; resolves to its exit code and all that it printed. */
export function runIn(namespace, command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn("ip", ["netns", "exec", namespace, command, ...args]);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output: output.trim() }));
  });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
