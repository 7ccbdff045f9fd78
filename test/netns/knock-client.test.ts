import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, programPath } from "./host.ts";
import { Sniffer } from "./sniffer.ts";
import { World } from "./world.ts";

const main = programPath("../../dist/main.js");
/** An address of the segment that nobody has, with a neighbour entry: packets to it leave, and nothing comes back. */
const nobody = "10.77.0.77";

let world: World;
let client: Host;
let server: Host;

beforeAll(async () => {
  world = await World.build("knock", ["server", "client"]);
  server = world.host("server");
  client = world.host("client");
  await client.expect("ip", ["neigh", "replace", nobody, "lladdr", "02:77:00:00:00:77", "dev", client.link]);
});

afterAll(async () => {
  await world?.remove();
});

/** What left the client: `7000/udp` for a datagram of one byte, `8000/syn` for a SYN, in order. */
function hits(packets: readonly string[]): string[] {
  return packets.map((packet) => {
    const port = / > [0-9a-f.:]+\.(\d+): /.exec(packet)?.[1];
    return `${port}/${packet.includes("Flags [S]") ? "syn" : packet.includes("length 1") ? "udp" : packet}`;
  });
}

describe("knockgate knock on the wire", () => {
  test.each([
    { family: "ipv4", address: () => server.ipv4, source: () => client.ipv4 },
    { family: "ipv6", address: () => `[${server.ipv6}]`, source: () => client.ipv6 },
  ])("is one packet a port, in order, without a pause ($family)", async ({ address, source }) => {
    const sniffer = await Sniffer.start(client, `src host ${source()} and (tcp or udp)`);
    await client.expect(process.execPath, [
      main,
      "knock",
      address(),
      "47000/udp",
      "47001",
      "47002:udp",
      "47001",
      "47003",
    ]);
    expect(hits(await sniffer.stop())).toEqual(["47000/udp", "47001/syn", "47002/udp", "47001/syn", "47003/syn"]);
  });

  test("never sends a SYN again, though nobody answers and the client waits longer than the kernel would", async () => {
    const sniffer = await Sniffer.start(client, `tcp and dst host ${nobody}`);
    await client.expect(process.execPath, [main, "knock", "-d", "1500", nobody, "47001", "47002"]);
    expect(hits(await sniffer.stop())).toEqual(["47001/syn", "47002/syn"]);
  });

  test("--open waits for a door that opens later, and tells how long it took", async () => {
    await server.serve(["47022/tcp"]);
    const closed =
      "table inet door { chain gate { type filter hook prerouting priority -160; tcp dport 47022 drop; }; }";
    await server.expect("nft", ["-f", "-"], { input: closed });
    const sniffer = await Sniffer.start(server, "tcp dst port 47022");
    const knocking = client.run(process.execPath, [main, "knock", server.ipv4, "47001", "--open", "47022"]);
    await sniffer.waitFor(/Flags \[S\]/);
    await server.expect("nft", ["delete", "table", "inet", "door"]);
    expect(await knocking).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^47022\/tcp answered after \d+\.\d ms\n$/),
    });
  });

  test("--open gives up in time with one sentence that names no step", async () => {
    const ended = await client.run(process.execPath, [
      main,
      "knock",
      nobody,
      "47001",
      "--open",
      "47022",
      "--wait",
      "300ms",
    ]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/^error: 47022\/tcp did not answer within 0\.3 s: [^\n]*\n$/);
    expect(ended.stderr).not.toContain("47001");
  });
});
