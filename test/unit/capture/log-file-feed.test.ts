import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogFileFeed } from "../../../src/capture/log-file-feed.ts";
import { systemClock } from "../../../src/clock.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

let folder: string;
let path: string;
let feed: LogFileFeed;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kg-log-"));
  path = join(folder, "kern.log");
});
afterEach(async () => {
  await feed.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a feed has told, in order: texts, `|` where a line was broken, states in parentheses. */
class Told {
  all = "";
  private waiting: () => void = () => undefined;

  async follow(clock = systemClock): Promise<void> {
    feed = new LogFileFeed(path, clock);
    await feed.start({
      bytes: (chunk) => this.add(Buffer.from(chunk).toString()),
      broken: () => this.add("|"),
      state: (trouble) => this.add(`(${trouble?.replace(folder, "") ?? "reads"})`),
      restarted: (cause) => this.add(`<${cause}>`),
    });
  }

  async until(text: string): Promise<void> {
    while (this.all !== text) {
      if (!text.startsWith(this.all)) expect(this.all).toBe(text);
      await new Promise<void>((resolve) => (this.waiting = resolve));
    }
  }

  private add(text: string): void {
    this.all += text;
    this.waiting();
  }
}

test("lines are read as they are written, and none that were there before", async () => {
  writeFileSync(path, "old\n");
  const told = new Told();
  await told.follow();
  expect(told.all).toBe("(reads)");
  appendFileSync(path, "one\ntw");
  await told.until("(reads)one\ntw");
  appendFileSync(path, "o\n");
  await told.until("(reads)one\ntwo\n");
});

test("a log that is renamed is read to its end, and the new one from its beginning", async () => {
  writeFileSync(path, "");
  const told = new Told();
  await told.follow();
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, "last\n");
  writeFileSync(path, "first\n");
  await told.until("(reads)last\n|first\n");
  appendFileSync(path, "more\n");
  await told.until("(reads)last\n|first\nmore\n");
});

test("a log whose name is gone is read on, until another file has the name", async () => {
  writeFileSync(path, "");
  const told = new Told();
  await told.follow();
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, "one\n");
  await told.until("(reads)one\n");
  appendFileSync(`${path}.1`, "two\n");
  await told.until("(reads)one\ntwo\n");
  writeFileSync(path, "three\n");
  await told.until("(reads)one\ntwo\n|three\n");
});

test("a log that was emptied is read from its beginning", async () => {
  writeFileSync(path, "a line from before\n");
  const told = new Told();
  await told.follow();
  truncateSync(path);
  appendFileSync(path, "new\n");
  await told.until("(reads)|new\n");
});

test("a log that comes later is read from its beginning", async () => {
  const told = new Told();
  await told.follow();
  expect(told.all).toBe("(/kern.log is not there)");
  writeFileSync(path, "first\n");
  await told.until("(/kern.log is not there)(reads)|first\n");
});

test("where nothing is told of changes, they are found once a second", async () => {
  path = join(folder, "later", "kern.log");
  const clock = new FakeClock();
  const told = new Told();
  await told.follow(clock);
  mkdirSync(join(folder, "later"));
  writeFileSync(path, "first\n");
  clock.advance(1000);
  await told.until("(/later/kern.log is not there)(reads)|first\n");
});

test("what is no file is not read", async () => {
  mkdirSync(path);
  const told = new Told();
  await told.follow();
  expect(told.all).toBe("(/kern.log is not a file: pipe it to --capture -)");
});
