import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type BackgroundKind, background, backgroundKinds } from "../fake/traffic/background.ts";
import { address } from "../fake/traffic/recording.ts";
import { trafficSavefile } from "../fake/traffic/savefile.ts";
import { tellPart } from "./bench-results.ts";

const packets = 1_000_000;
const flows = 350_000;
const dist = fileURLToPath(new URL("../../dist/", import.meta.url));

/** Runs the command as `main.js` does, and tells on descriptor 2 what the process has used. */
const program = (file: string) => `
  const { huntCommand } = await import(${JSON.stringify(`${dist}cli/hunt.js`)});
  const { processIo } = await import(${JSON.stringify(`${dist}cli/process-io.js`)});
  const windows = { stepMicros: 20e6, openMicros: 60e6 };
  const began = performance.now();
  await huntCommand({ file: ${JSON.stringify(file)}, interfaces: [], sockets: false, windows, minimumScore: 60, output: "json" }, processIo());
  const { maxRSS } = process.resourceUsage();
  process.stderr.write("used " + JSON.stringify({ seconds: (performance.now() - began) / 1000, mib: maxRSS / 1024 }));`;

test("how long a million packets take the hunt, and how much memory", () => {
  const gates = [{ address: address("10.20.9.1"), open: [80, 443], gated: [22, 3306] }];
  const options = { seed: 5, flows, from: 1_700_000_000e6, lastsMicros: 3600e6, gates };
  const recorded = (Object.keys(backgroundKinds) as BackgroundKind[]).flatMap(
    (kind) => background(kind, options).packets,
  );
  recorded.sort((one, other) => one.atMicros - other.atMicros);
  expect(recorded.length).toBeGreaterThanOrEqual(packets);
  const folder = mkdtempSync(join(tmpdir(), "knockgate-hunt-bench-"));
  try {
    const file = join(folder, "million.pcap");
    writeFileSync(file, trafficSavefile(recorded.slice(0, packets)));
    const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program(file)], { encoding: "utf8" });
    const { seconds, mib } = JSON.parse(stderr.split("used ")[1] ?? "") as { seconds: number; mib: number };
    tellPart({
      title: "The hunt for knocks",
      measured: "A capture of synthetic background traffic, read by `knockgate hunt` in a process of its own.",
      rows: [{ packets, seconds, mib }],
      goals: [
        {
          work: "Hunt through 1,000,000 packets",
          ours: `${seconds.toFixed(1)} s, ${mib.toFixed(0)} MiB`,
          target: "< 30 s, < 512 MiB",
          isMet: seconds < 30 && mib < 512,
        },
      ],
    });
    expect(mib).toBeLessThan(512);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
