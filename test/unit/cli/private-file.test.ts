import { chmodSync, chownSync, lchownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readPrivateFile } from "../../../src/cli/private-file.ts";

const folder = mkdtempSync(join(tmpdir(), "private-file-"));
afterAll(() => rmSync(folder, { recursive: true }));
const isRoot = process.geteuid?.() === 0;

function write(name: string, mode: number): string {
  const path = join(folder, name);
  writeFileSync(path, "secret");
  chmodSync(path, mode);
  return path;
}

test.each([0o600, 0o400])("a file that only its owner may use is read (mode %o)", async (mode) => {
  expect(await readPrivateFile(write(`own-${mode}`, mode))).toEqual({ text: "secret" });
});

test.each([
  [0o640, "0640"],
  [0o604, "0604"],
  [0o620, "0620"],
  [0o777, "0777"],
])("a file that others may use is refused, and how to mend it is said (mode %o)", async (mode, shown) => {
  const path = write(`open-${mode}`, mode);
  expect(await readPrivateFile(path)).toEqual({
    refused: `${path} may be used by others (mode ${shown}): run \`chmod 600 ${path}\`.`,
  });
});

test("a folder, a file that is not there and one that is too large are refused", async () => {
  const [path, large] = [join(folder, "folder"), join(folder, "large")];
  mkdirSync(path);
  writeFileSync(large, "x".repeat((1 << 20) + 1), { mode: 0o600 });
  expect(await readPrivateFile(path)).toEqual({ refused: expect.stringContaining("is not a file") });
  expect(await readPrivateFile(large)).toEqual({ refused: expect.stringContaining("larger than 1 MiB") });
  expect(await readPrivateFile(join(folder, "none"))).toEqual({ refused: expect.stringContaining("does not exist") });
});

test("an own symbolic link to an own file is followed, and the file is judged, not the link", async () => {
  const link = join(folder, "link");
  symlinkSync(write("behind", 0o600), link);
  expect(await readPrivateFile(link)).toEqual({ text: "secret" });
  chmodSync(join(folder, "behind"), 0o644);
  expect(await readPrivateFile(link)).toEqual({ refused: expect.stringContaining("mode 0644") });
});

test.runIf(isRoot)("another user's file, and another user's link to an own file, are refused", async () => {
  const file = write("theirs", 0o600);
  chownSync(file, 65534, 65534);
  expect(await readPrivateFile(file)).toEqual({ refused: expect.stringContaining("belongs to another user") });
  const link = join(folder, "their-link");
  symlinkSync(write("mine", 0o600), link);
  lchownSync(link, 65534, 65534);
  expect(await readPrivateFile(link)).toEqual({ refused: expect.stringContaining("symbolic link of another user") });
});

test.runIf(isRoot)("root's file may be read by whoever can", async () => {
  expect(await readPrivateFile(write("roots", 0o600), 65534)).toEqual({ text: "secret" });
});
