import { GenericContainer, type StartedNetwork, type StartedTestContainer, Wait } from "testcontainers";
import { imageName } from "./agent-container.ts";

const serve = `
for (const port of process.argv.slice(1))
  require("node:net").createServer((socket) => socket.on("error", () => {}).end("hello")).listen(Number(port), "0.0.0.0");
console.log("serving");`;
const wait = `console.log("serving"); setInterval(() => {}, 1e9);`;
const dial = `
const [host, port] = process.argv.slice(1);
const socket = require("node:net").connect({ host, port: Number(port) });
const say = (word) => { console.log(word); process.exit(); };
socket.on("connect", () => say("open"));
socket.on("error", (error) => say(error.code === "ECONNREFUSED" ? "refused" : error.code));
setTimeout(() => say("silent"), 1000);`;

/** A container on a Docker network without any privilege: a service, or somebody who knocks. Both need only the image. */
export class NetworkContainer {
  readonly container: StartedTestContainer;
  /** On its network. */
  readonly address: string;

  private constructor(container: StartedTestContainer, address: string) {
    this.container = container;
    this.address = address;
  }

  /** Serves these TCP ports; none where it only knocks. */
  static async start(network: StartedNetwork, ports: readonly number[] = []): Promise<NetworkContainer> {
    const container = await new GenericContainer(imageName)
      .withEntrypoint(["node", "-e", ports.length > 0 ? serve : wait])
      .withCommand(ports.map(String))
      .withNetwork(network)
      .withDroppedCapabilities("ALL")
      .withWaitStrategy(Wait.forLogMessage("serving"))
      .withStartupTimeout(60_000)
      .start();
    return new NetworkContainer(container, container.getIpAddress(network.getName()));
  }

  /** What it meets at a port of another one: "open", "refused", "silent" or an error code. */
  async meets(address: string, port: number): Promise<string> {
    const { stdout } = await this.container.exec(["node", "-e", dial, address, String(port)]);
    return stdout.trim();
  }

  /** Knocks with the client of the image; resolves to what it printed. */
  async knock(address: string, steps: readonly string[], ...flags: readonly string[]): Promise<string> {
    const { exitCode, output } = await this.container.exec(["knockgate", "knock", ...flags, address, ...steps]);
    if (exitCode !== 0) throw new Error(`knock: ${exitCode}\n${output}`);
    return output;
  }

  async remove(): Promise<void> {
    await this.container.stop({ timeout: 0 });
  }
}
