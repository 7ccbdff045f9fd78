import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { huntCommand } from "../../../src/cli/hunt.ts";
import { defaultWindows } from "../../../src/hunt/hunter.ts";
import { defaultScore } from "../../../src/hunt/score.ts";
import { MemoryIo } from "../../fake/memory-io.ts";
import { address, Recording } from "../../fake/traffic/recording.ts";
import { trafficSavefile } from "../../fake/traffic/savefile.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "knockgate-hunt-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A stranger is kept out of SSH; a user knocks on ports and gets in. */
function knocked(user: string, gate: string, stranger: string): Recording {
  const record = new Recording();
  const [from, to] = [address(user), address(gate)];
  const at = (seconds: number) => 1_700_000_000e6 + seconds * 1e6;
  record.silent({ at: at(0), from: address(stranger), to, port: 22 });
  record.silent({ at: at(1), from, to, port: 7000 });
  record.datagram({ at: at(2), from, to, port: 8000 }, false, 1);
  record.silent({ at: at(3), from, to, port: 9000 });
  record.connection({ at: at(4), from, to, port: 22 });
  return record;
}

async function hunt(bytes: Uint8Array, output: "table" | "json" = "json") {
  const file = join(folder, "day.pcap");
  await writeFile(file, bytes);
  const io = new MemoryIo();
  const args = { file, interfaces: [], sockets: false, windows: defaultWindows, minimumScore: defaultScore, output };
  return { code: await huntCommand(args, io), out: io.out, err: io.err };
}

describe("hunt", () => {
  test.each<{ family: string; hosts: readonly [string, string, string] }>([
    { family: "IPv4", hosts: ["203.0.113.7", "192.0.2.10", "198.51.100.1"] },
    { family: "IPv6", hosts: ["2001:db8::7", "2001:db8:1::10", "2001:db8:2::1"] },
  ])("prints one object a line for a knock over $family, and exits with 1", async ({ hosts }) => {
    const { code, out, err } = await hunt(trafficSavefile(knocked(...hosts).packets));
    expect([code, err]).toEqual([1, ""]);
    expect(out.match(/\n/g)).toHaveLength(1);
    expect(JSON.parse(out)).toMatchObject({
      kind: "sequence",
      source: hosts[0],
      target: hosts[1],
      steps: ["7000/tcp", "8000/udp", "9000/tcp"],
      opened: ["22/tcp"],
      first: "2023-11-14T22:13:21.000Z",
      times: 1,
      score: 75,
    });
  });

  test("prints a table for people", async () => {
    const { packets } = knocked("203.0.113.7", "192.0.2.10", "198.51.100.1");
    const { code, out } = await hunt(trafficSavefile(packets), "table");
    expect(code).toBe(1);
    const [head, row] = out.split("\n");
    expect(head).toMatch(/^SCORE +KIND +SOURCE +TARGET +STEPS +OPENED +TIMES +FIRST +LAST +WHY$/);
    expect(row).toMatch(/^75 +sequence +203\.0\.113\.7 +192\.0\.2\.10 +7000\/tcp,8000\/udp,9000\/tcp +22\/tcp +1 /);
    expect(row).toMatch(
      / 3 packets in order to closed or silent ports, then 22\/tcp let the source in; .*another address$/,
    );
  });

  test("exits with 0 when nothing was found, and says so", async () => {
    const record = new Recording();
    record.connection({ at: 1_700_000_000e6, from: address("192.0.2.1"), to: address("192.0.2.2"), port: 443 });
    expect(await hunt(trafficSavefile(record.packets))).toEqual({
      code: 0,
      out: "",
      err: "Nothing found in 10 packets.\n",
    });
  });

  test("exits with 2 when it cannot be read", async () => {
    const { code, err } = await hunt(Buffer.from("this is no capture at all"));
    expect([code, err]).toEqual([2, expect.stringMatching(/^error: This is no pcap file/)]);
  });
});
