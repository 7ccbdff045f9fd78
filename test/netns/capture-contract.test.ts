import { afterAll, beforeAll, describe } from "vitest";
import { parsePort, portKey } from "../../src/policy/port.ts";
import { type PacketSourceBench, packetSourceContract } from "../contract/packet-source.ts";
import { CaptureHost } from "./capture-host.ts";
import { PacketSender } from "./packet-sender.ts";
import { World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await World.build("capcon", ["server", "client"]);
});
afterAll(() => world.remove());

/** The real child, and packets put on a real link. */
function bench(interfaces: readonly string[]): PacketSourceBench {
  const [server, client] = [world.host("server"), world.host("client")];
  return {
    client,
    server,
    async see(packets, ports, expected) {
      const keys = ports.map((text) => portKey(parsePort(text) ?? { protocol: "tcp", port: 0 }));
      const capture = await CaptureHost.start(server, keys, interfaces);
      await new PacketSender(world, client, server).send(packets);
      const knocks = await capture.waitForKnocks(expected);
      await capture.stop();
      const reasons = ["not-local", "duplicate", "malformed"];
      return { knocks, discarded: Object.fromEntries(reasons.map((reason) => [reason, capture.discarded(reason)])) };
    },
  };
}

describe("a live source on the default taps", () => packetSourceContract(() => bench([])));
describe("a live source on any", () => packetSourceContract(() => bench(["any"])));
