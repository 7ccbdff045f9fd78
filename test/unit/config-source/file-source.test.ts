import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import type { ConfigDocument, Snapshot } from "../../../src/config-source/config-source.ts";
import { FileSource } from "../../../src/config-source/file-source.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

let home: string;
let folder: string;
const sources: FileSource[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "kg-files-"));
  folder = join(home, "policies");
  mkdirSync(folder);
});

afterEach(async () => {
  for (const source of sources.splice(0)) await source.close();
  rmSync(home, { recursive: true, force: true });
});

function textOf(document: ConfigDocument): string {
  return "text" in document ? document.text : expect.fail("no file");
}

/** A source that has started, and its snapshots as they come. */
class Watched {
  readonly seen: Snapshot[] = [];
  readonly source: FileSource;
  private waiting: (() => void) | undefined;

  private constructor(source: FileSource) {
    this.source = source;
    sources.push(source);
  }

  static async start(paths: readonly string[], format?: "knockd-conf"): Promise<Watched> {
    const formats = format === undefined ? {} : { format };
    const watched = new Watched(new FileSource({ paths, clock: systemClock, ...formats }));
    await watched.source.start((snapshot) => {
      watched.seen.push(snapshot);
      watched.waiting?.();
    });
    return watched;
  }

  get last(): Snapshot {
    return this.seen.at(-1) ?? expect.fail("nothing was delivered");
  }

  get texts(): readonly string[] {
    return this.last.documents.map(textOf);
  }

  /** Resolves with the first snapshot, one seen already included, that the test waits for. */
  async until(is: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
    while (!is(this.last)) await new Promise<void>((resolve) => (this.waiting = resolve));
    return this.last;
  }

  untilTexts(...texts: readonly string[]): Promise<Snapshot> {
    return this.until(({ documents }) => documents.map(textOf).join() === texts.join());
  }
}

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

/** Those of the first text. */
function oneTimeFiles({ documents: [first] }: Snapshot) {
  return first === undefined || first.format === "object" ? undefined : first.oneTimeFiles;
}

describe("what is read", () => {
  test("a folder: its YAML and JSON files by name, none that is hidden, none below", async () => {
    for (const name of ["b.yaml", "a.yml", "c.json", ".hidden.yaml", "notes.txt", "b.yaml~", "d.yaml.swp"])
      write(name, name);
    mkdirSync(join(folder, "below"));
    writeFileSync(join(folder, "below", "e.yaml"), "below");
    const { last } = await Watched.start([folder]);
    expect(last.documents.map(({ origin }) => origin)).toEqual(
      ["a.yml", "b.yaml", "c.json"].map((name) => join(folder, name)),
    );
    expect(last.failures).toEqual([]);
  });

  test("a file, whatever its name, and each file once", async () => {
    write("policies.txt", "one");
    const path = join(folder, "policies.txt");
    write("knockd.conf", "[options]");
    const { last } = await Watched.start([path, path, join(folder, "knockd.conf")]);
    expect(last.documents.map((document) => [textOf(document), document.format])).toEqual([
      ["one", "yaml"],
      ["[options]", "knockd-conf"],
    ]);
  });

  test("a knockd.conf with the one-time files it names, which are watched too, even before they are there", async () => {
    const [conf, once] = [join(folder, "doors.txt"), join(home, "once")];
    writeFileSync(conf, `[a]\none_time_sequences = ${once}\n`);
    const watched = await Watched.start([conf], "knockd-conf");
    expect(oneTimeFiles(watched.last)).toEqual({});
    writeFileSync(once, "7000,8000\n");
    await watched.until((snapshot) => oneTimeFiles(snapshot)?.[once] === "7000,8000\n");
  });

  test("a mounted ConfigMap, through its symbolic links", async () => {
    mountConfigMap("1", "one");
    const { last } = await Watched.start([folder]);
    expect(last.documents).toEqual([{ origin: join(folder, "ssh.yaml"), format: "yaml", text: "one" }]);
  });

  test("what cannot be read is told in a sentence, and the rest is delivered", async () => {
    write("a.yaml", "a");
    writeFileSync(join(folder, "latin.yaml"), Buffer.from([0xe4, 0xf6]));
    write("large.yaml", "#".repeat((1 << 20) + 1));
    mkdirSync(join(folder, "folder.yaml"));
    symlinkSync("nowhere", join(folder, "dangling.yaml"));
    symlinkSync("loop.yaml", join(folder, "loop.yaml"));
    const { last } = await Watched.start([folder, join(home, "absent"), join(folder, "a.yaml", "x")]);
    expect(last.documents.map(textOf)).toEqual(["a"]);
    const told = last.failures.map((failure) => failure.replaceAll(home, ""));
    expect(told).toEqual([
      "/absent does not exist: make it, or name another path.",
      "/policies/a.yaml/x does not exist: a part of the path is not a folder.",
      "/policies/dangling.yaml does not exist: make it, or name another path.",
      "/policies/folder.yaml is not a file: remove it, or name another path.",
      "/policies/large.yaml is larger than 1 MiB: split it.",
      "/policies/latin.yaml is not UTF-8: save it as UTF-8.",
      "/policies/loop.yaml is a symbolic link to itself.",
    ]);
  });

  test("a folder is no knockd.conf, and nothing in it is taken for one", async () => {
    write("a.yaml", "[door]\n");
    const { last } = await Watched.start([folder], "knockd-conf");
    expect(last).toEqual({ documents: [], failures: [`${folder} is a folder: name the knockd.conf.`] });
  });

  test("a knockd.conf may be Latin-1, as knockd never asked", async () => {
    const path = join(home, "knockd.conf");
    writeFileSync(path, Buffer.from("# T\xfcr\n[door]\n", "latin1"));
    expect((await Watched.start([path], "knockd-conf")).texts).toEqual(["# Tür\n[door]\n"]);
  });

  test("a file that may not be read is told, as root with less rights too", async () => {
    write("a.yaml", "a");
    write("secret.yaml", "b");
    chmodSync(home, 0o755);
    chmodSync(join(folder, "secret.yaml"), 0);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      const { last } = await Watched.start([folder]);
      expect(last.failures).toEqual([`${join(folder, "secret.yaml")} may not be read: give the agent permission.`]);
      expect(last.documents.map(textOf)).toEqual(["a"]);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  test("a folder with far too many files is not read to its end", async () => {
    for (let at = 0; at < 1001; at++) write(`${at}.yaml`, "");
    const { last } = await Watched.start([folder]);
    expect(last.documents.length).toBe(1000);
    expect(last.failures.join()).toContain("more than 1000 files");
  });
});

test("files that are too large together are not read to their end", async () => {
  for (let at = 0; at < 9; at++) write(`${at}.yaml`, "#".repeat(1 << 20));
  const { last } = await Watched.start([folder]);
  expect(last.documents.length).toBe(8);
  expect(last.failures.join()).toContain("larger than 8 MiB");
});

describe("changes", () => {
  test("an atomic rename over a file", async () => {
    write("ssh.yaml", "one");
    const watched = await Watched.start([join(folder, "ssh.yaml")]);
    write("ssh.yaml.new", "two");
    renameSync(join(folder, "ssh.yaml.new"), join(folder, "ssh.yaml"));
    await watched.untilTexts("two");
  });

  test("an editor's save: several writes in place are one snapshot", async () => {
    write("ssh.yaml", "one");
    const watched = await Watched.start([folder]);
    write("ssh.yaml", "");
    write("ssh.yaml", "tw");
    write("ssh.yaml", "two");
    await watched.untilTexts("two");
    expect(watched.seen.map(({ documents: [first] }) => first && textOf(first))).toEqual(["one", "two"]);
  });

  test("an editor's save: moved away and written anew", async () => {
    write("ssh.yaml", "one");
    const watched = await Watched.start([folder]);
    renameSync(join(folder, "ssh.yaml"), join(folder, "ssh.yaml~"));
    write("ssh.yaml", "two");
    await watched.untilTexts("two");
    expect(watched.seen.length).toBe(2);
  });

  test("the swap of ..data that a kubelet does, again and again", async () => {
    mountConfigMap("1", "one");
    const watched = await Watched.start([folder]);
    mountConfigMap("2", "two");
    await watched.untilTexts("two");
    mountConfigMap("3", "three");
    await watched.untilTexts("three");
    expect(watched.seen.map(({ failures }) => failures)).toEqual([[], [], []]);
  });

  test("a file that is added, and one that is deleted", async () => {
    write("a.yaml", "a");
    const watched = await Watched.start([folder]);
    write("b.yaml", "b");
    await watched.untilTexts("a", "b");
    unlinkSync(join(folder, "a.yaml"));
    await watched.untilTexts("b");
  });

  test("a folder that is removed and made again", async () => {
    write("a.yaml", "a");
    const watched = await Watched.start([folder]);
    rmSync(folder, { recursive: true });
    await watched.until(({ failures }) => failures.length > 0);
    mkdirSync(folder);
    write("a.yaml", "b");
    await watched.untilTexts("b");
    write("a.yaml", "c");
    await watched.untilTexts("c");
  });

  test("a path that comes to be only later", async () => {
    const path = join(home, "later", "policies");
    const watched = await Watched.start([path]);
    expect(watched.last.failures).toEqual([`${path} does not exist: make it, or name another path.`]);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "a.yaml"), "a");
    await watched.untilTexts("a");
    expect(watched.last.failures).toEqual([]);
  });

  test("reread delivers at once, changed or not", async () => {
    write("a.yaml", "a");
    const watched = await Watched.start([folder]);
    await watched.source.reread();
    expect(watched.seen.length).toBe(2);
    expect(watched.texts).toEqual(["a"]);
  });
});

describe("time", () => {
  test("the poll finds what no watch tells, and is the only timer", async () => {
    const clock = new FakeClock();
    const source = new FileSource({ paths: [folder], clock });
    sources.push(source);
    const delivered: Snapshot[] = [];
    await source.start((snapshot) => delivered.push(snapshot));
    expect(clock.pendingTimers).toBe(1);
    write("a.yaml", "a");
    while (delivered.length < 2) {
      clock.advance(100);
      await setImmediate();
    }
    expect(delivered[1]?.documents.map(textOf)).toEqual(["a"]);
    await source.close();
    expect(clock.pendingTimers).toBe(0);
  });

  test("closing twice is harmless, leaves no watch behind and delivers nothing more", async () => {
    const before = inotifyWatches();
    const watched = await Watched.start([folder]);
    expect(inotifyWatches()).toBeGreaterThan(before);
    await watched.source.close();
    await watched.source.close();
    await watched.source.reread();
    expect(watched.seen.length).toBe(1);
    expect(inotifyWatches()).toBe(before);
  });
});

/** Writes a ConfigMap as the kubelet does: a new folder, a new link, and one rename that swaps them. */
function mountConfigMap(version: string, text: string): void {
  const real = join(folder, `..${version}`);
  mkdirSync(real);
  writeFileSync(join(real, "ssh.yaml"), text);
  symlinkSync(`..${version}`, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  if (!readdirSync(folder).includes("ssh.yaml")) symlinkSync(join("..data", "ssh.yaml"), join(folder, "ssh.yaml"));
  for (const name of readdirSync(folder))
    if (/^\.\.\d/.test(name) && name !== `..${version}`) rmSync(join(folder, name), { recursive: true });
}

/** How many inotify watches this process holds (proc(5), fdinfo). */
function inotifyWatches(): number {
  const tables = readdirSync("/proc/self/fdinfo").flatMap((fd) => {
    try {
      return readFileSync(join("/proc/self/fdinfo", fd), "utf8").split("\n");
    } catch {
      return []; // the descriptor of the listing itself
    }
  });
  return tables.filter((line) => line.startsWith("inotify")).length;
}
