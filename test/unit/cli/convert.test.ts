import { expect, test } from "vitest";
import { convertCommand } from "../../../src/cli/convert.ts";
import { MemoryIo } from "../../fake/memory-io.ts";

const fixture = (name: string) => new URL(`../../fixture/knockd-conf/${name}.conf`, import.meta.url).pathname;

async function convert(path: string, flags: { keepMatching?: boolean; explain?: boolean } = {}) {
  const io = new MemoryIo();
  const code = await convertCommand({ path, keepMatching: false, explain: false, ...flags }, io);
  return { code, out: io.out, err: io.err };
}

test("policies go to standard output, and what became of the doors is counted on standard error", async () => {
  const { code, out, err } = await convert(fixture("debian-pair"));
  expect(code).toBe(0);
  expect(out).toContain("closedBy: { steps: [9527/tcp, 8411/tcp, 7391/tcp] }");
  expect(err).toBe("3 doors: opens 1, closedBy 1, run 1, left out 0\n");
});

test("--explain prints a table instead", async () => {
  const { out } = await convert(fixture("wrong-close"), { explain: true });
  expect(out).toMatch(
    /^DOOR +BECAME +CHECK\nopencloseSSH +openclosessh: opens 22\/tcp for 60s +its stop command removed nothing/,
  );
});

test("--keep-matching keeps doors as strict as knockd's", async () => {
  expect((await convert(fixture("timed-ssh"), { keepMatching: true })).out).toContain("matching: Knockd");
});

test("one door is counted as one", async () => {
  expect((await convert(fixture("timed-ssh"))).err).toMatch(/^1 door: /);
});

test("a folder is not converted, and said to be none", async () => {
  const folder = new URL(".", import.meta.url).pathname;
  expect(await convert(folder)).toEqual({
    code: 1,
    out: "",
    err: `error: ${folder} is a folder: name the knockd.conf.\n`,
  });
});

test("a file that is not there, and one with faults, are told and not converted", async () => {
  expect(await convert("/nowhere/knockd.conf")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining("does not exist"),
  });
  const { code, out, err } = await convert(new URL("./convert.test.ts", import.meta.url).pathname);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toMatch(/^error: \S+:1: The line stands before the first section/);
});
