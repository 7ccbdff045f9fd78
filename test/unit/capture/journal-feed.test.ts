import { expect, test } from "vitest";
import { JournalFeed } from "../../../src/capture/journal-feed.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

/** A feed on a journalctl that the test plays, and what it has told. */
async function started() {
  const clock = new FakeClock();
  const told: string[] = [];
  const running: { printed: (chunk: Uint8Array) => void; ended: (why: string) => void; stopped: boolean }[] = [];
  const feed = new JournalFeed(clock, (printed, ended) => {
    const one = { printed, ended, stopped: false };
    running.push(one);
    const stop = () => {
      one.stopped = true;
    };
    return { stop };
  });
  await feed.start({
    bytes: (chunk) => told.push(Buffer.from(chunk).toString()),
    broken: () => told.push("|"),
    state: (trouble) => told.push(`(${trouble ?? "reads"})`),
    restarted: (cause) => told.push(`<${cause}>`),
  });
  return { clock, told, running, feed };
}

test("what journalctl prints is read, and it is started again when it ends", async () => {
  const { clock, told, running, feed } = await started();
  running[0]?.printed(Buffer.from("{}\n"));
  running[0]?.ended("No such file or directory");
  expect(told).toEqual(["(reads)", "{}\n", "|", "(journalctl has ended (No such file or directory))"]);
  clock.advance(100);
  expect(told.slice(4)).toEqual(["<crash>", "(reads)"]);
  running[1]?.ended("");
  clock.advance(100);
  expect(running).toHaveLength(2);
  clock.advance(100);
  expect(running).toHaveLength(3);
  await feed.close();
});

test("closing ends it, and nothing is told or started afterwards", async () => {
  const { clock, told, running, feed } = await started();
  await feed.close();
  expect(running[0]?.stopped).toBe(true);
  running[0]?.ended("killed");
  clock.advance(60_000);
  expect({ told, started: running.length }).toEqual({ told: ["(reads)"], started: 1 });
});
