// A Docker engine that builds images and touches nothing of this machine's network: no bridge, no rules, no forwarding.
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CannotGoOn, lastLines, longRun } from "./progress.mjs";

const program = fileURLToPath(new URL("docker-engine.sh", import.meta.url));
const withoutNetwork = [
  "--bridge=none",
  "--iptables=false",
  "--ip6tables=false",
  "--ip-forward=false",
  "--ip-masq=false",
];

/** A running engine, and the command line client that talks to it. */
export class ImageBuilder {
  #engine;
  #environment;
  #output = "";

  constructor(folder) {
    const socket = join(folder, "docker.sock");
    // flock(1): one engine at a time keeps its layers here; a second run waits until the first has built.
    const args = [join(folder, "lock"), "sh", program, folder, ...withoutNetwork];
    this.#engine = spawn("flock", args, { stdio: ["pipe", "pipe", "pipe"] });
    for (const stream of [this.#engine.stdout, this.#engine.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.#output = (this.#output + text).slice(-20_000);
      });
    }
    // The classic builder: Debian's client has no other.
    this.#environment = { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_BUILDKIT: "0" };
  }

  /** Resolves when it answers: this engine, and not another run's that still has the lock and listens on the same socket. */
  async ready() {
    while (!this.#output.includes("API listen on") || this.#ask("version").status !== 0) {
      if (this.#engine.exitCode !== null)
        throw new CannotGoOn(`dockerd does not run here:\n${lastLines(this.#output)}`);
      await pause(200);
    }
  }

  /** Runs docker(1), saying for whom; returns what it printed, and whether it ended well. */
  run(what, ...args) {
    return longRun(what, "docker", args, { env: this.#environment });
  }

  /** The same, and throws unless it ends well. */
  async expect(what, ...args) {
    const { isDone, output } = await this.run(what, ...args);
    if (!isDone) throw new CannotGoOn(`docker ${args[0]}:\n${lastLines(output, 25)}`);
    return output;
  }

  /** Whether there is an image of this name. */
  has(image) {
    return this.#ask("image", "inspect", image).status === 0;
  }

  /** What a short command prints. */
  ask(...args) {
    return this.#ask(...args).stdout;
  }

  /** Ends the engine, and with it whatever it still runs. */
  async close() {
    const ended = new Promise((resolve) => this.#engine.once("close", resolve));
    if (this.#engine.exitCode !== null) return;
    this.#engine.stdin.end();
    await ended;
  }

  #ask(...args) {
    return spawnSync("docker", args, { env: this.#environment, encoding: "utf8" });
  }
}
