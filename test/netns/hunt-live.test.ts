import { afterAll, beforeAll, expect, test } from "vitest";
import { type Host, programPath } from "./host.ts";
import { World } from "./world.ts";

const main = programPath("../../dist/main.js");
let world: World;
let gate: Host;
let client: Host;
let stranger: Host;

beforeAll(async () => {
  world = await World.build("hunt-live", ["gate", "client", "stranger"]);
  [gate, client, stranger] = [world.host("gate"), world.host("client"), world.host("stranger")];
  const input = `table inet knocking {
    set open { type ipv4_addr; flags dynamic, timeout; timeout 60s; size 100; }
    chain input {
      type filter hook input priority 0;
      tcp dport 9007 add @open { ip saddr } drop
      tcp dport 2207 ip saddr != @open drop
    }
  }`;
  await gate.expect("nft", ["-f", "-"], { input });
  await gate.serve(["2207/tcp"]);
});

afterAll(() => world?.remove());

test("live, a knock is found from the packets of both directions and told at the latest when it ends", async () => {
  const hunt = gate.start(process.execPath, [main, "hunt", "--interface", gate.link, "-o", "json"]);
  await hunt.waitForLine("Listening on eth0.");
  expect(await stranger.connect(gate.ipv4, 2207, { timeoutMs: 200 })).toBe("silent");
  await client.knock(gate.ipv4, ["7007/tcp", "8007/udp", "9007/tcp"]);
  expect(await client.connect(gate.ipv4, 2207)).toBe("open");
  hunt.signal("SIGINT");
  const line = await hunt.waitForLine(/^\{/);
  expect(JSON.parse(line)).toMatchObject({
    kind: "sequence",
    source: client.ipv4,
    target: gate.ipv4,
    steps: ["7007/tcp", "8007/udp", "9007/tcp"],
    opened: ["2207/tcp"],
  });
  expect((await hunt.ended).code).toBe(1);
});
