import { describe, expect, test } from "vitest";
import { cleanup } from "../../../src/nftables/cleanup.ts";
import { openNftCommand } from "../../../src/nftables/nft-command.ts";
import { NftError } from "../../../src/nftables/nft-error.ts";
import { openNft, openNftPatiently } from "../../../src/nftables/open-nft.ts";
import { type ProgramResult, type RunProgram, runProgram } from "../../../src/nftables/program.ts";
import { Transaction } from "../../../src/nftables/transaction.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { FakeNft } from "../../fake/fake-nft.ts";

const table = { kind: "table" } as const;
const fine: ProgramResult = { status: 0, stdout: "", stderr: "" };

/** A script in the place of the program: checks each call, and answers. */
function script(...scenes: [args: string, input: string, result: ProgramResult][]): RunProgram {
  return async (program, args, input) => {
    const [wantedArgs, wantedInput, result] = scenes.shift() ?? ["nothing more", "", fine];
    expect([program, args.join(" "), input]).toEqual(["nft", wantedArgs, wantedInput]);
    return result;
  };
}

const noCounter = () => undefined;

describe("the program nft", () => {
  test("is given transactions on stdin, and is not started for empty ones", async () => {
    const text = "add table inet knockgate\n";
    const run = script(["--version", "", fine], ["-f -", text, fine], ["--check -f -", text, fine]);
    const nft = await openNftCommand(run, noCounter);
    await nft.run(new Transaction());
    await nft.run(new Transaction().add(table));
    await nft.check(new Transaction().add(table));
    expect(await nft.generation()).toBeUndefined();
    nft.close();
  });

  test.each<[string, ProgramResult]>([
    ["no-nft", { status: undefined, stdout: "", stderr: "", failure: "missing" }],
    ["timed-out", { status: undefined, stdout: "", stderr: "", failure: "timed-out" }],
    ["failed", { status: undefined, stdout: "", stderr: "killed", failure: "other" }],
    ["not-permitted", { status: 1, stdout: "", stderr: "Operation not permitted (you must be root)" }],
  ])("tells %s", async (code, result) => {
    await expect(openNftCommand(script(["--version", "", result]), noCounter)).rejects.toMatchObject({ code });
  });

  test("lists with handles and numbers, and tells a missing table from other errors", async () => {
    const list = "-a -y -p list table inet knockgate";
    const failing = (stderr: string): ProgramResult => ({ status: 1, stdout: "", stderr });
    const run = script(
      ["--version", "", fine],
      [list, "", { ...fine, stdout: "table inet knockgate { # handle 5\n}\n" }],
      [list, "", failing("Error: No such file or directory")],
      [list, "", failing("Error: something")],
    );
    const nft = await openNftCommand(run, noCounter);
    expect((await nft.list())?.handle).toBe(5);
    expect(await nft.list()).toBeUndefined();
    await expect(nft.list()).rejects.toBeInstanceOf(NftError);
  });
});

describe("programs", () => {
  test("are given input and tell how they ended", async () => {
    expect(await runProgram("cat", [], "in")).toEqual({ status: 0, stdout: "in", stderr: "" });
    expect(await runProgram("sh", ["-c", "echo no >&2; exit 3"], "")).toEqual({
      status: 3,
      stdout: "",
      stderr: "no\n",
    });
    expect(await runProgram("/nowhere/program", [], "x")).toMatchObject({ status: undefined, failure: "missing" });
    expect(await runProgram("sh", ["-c", "kill -9 $$"], "x".repeat(1e6))).toMatchObject({ status: undefined });
  });
});

describe("opening nftables", () => {
  const noLibrary = () => {
    throw new NftError("no-nft", "libnftables.so.1 cannot be loaded");
  };

  test("prefers the library", async () => {
    const nft = new FakeNft(new FakeClock());
    expect(await openNft(expect.fail, { library: () => nft, program: expect.fail })).toBe(nft);
  });

  test("takes the program where there is no library, and says so", async () => {
    const warnings: string[] = [];
    const nft = new FakeNft(new FakeClock());
    const means = { library: noLibrary, program: async () => nft };
    expect(await openNft((message) => warnings.push(message), means)).toBe(nft);
    expect(warnings).toHaveLength(1);
  });

  test("says what is missing where neither will do", async () => {
    const broken = () => {
      throw new TypeError("a defect");
    };
    await expect(openNft(expect.fail, { library: broken, program: expect.fail })).rejects.toThrow("a defect");
    const program = async () => noLibrary();
    await expect(openNft(expect.fail, { library: noLibrary, program })).rejects.toThrow("install the package nftables");
  });

  test.each([
    ["not-permitted", "run it as root"],
    ["unsupported", "this kernel cannot"],
  ] as const)("gives it back where it is %s", async (code, sentence) => {
    const nft = new FakeNft(new FakeClock());
    nft.check = () => Promise.reject(new NftError(code, "no"));
    await expect(openNft(expect.fail, { library: () => nft, program: expect.fail })).rejects.toThrow(sentence);
    expect(nft.closed).toBe(true);
  });
});

describe("opening nftables patiently", () => {
  function wait() {
    const clock = new FakeClock();
    const ending = new AbortController();
    const failures: string[] = [];
    const failed = (reason: string) => failures.push(reason);
    return { clock, ending, failures, parts: { clock, ending: ending.signal, warned: expect.fail, failed } };
  }
  const moment = new NftError("failed", "Cannot allocate memory");

  test("tries again, ever more seldom, until it works", async () => {
    const { clock, failures, parts } = wait();
    const nft = new FakeNft(clock);
    const beganMicros = clock.nowMicros();
    const triedAfterMs: number[] = [];
    const opening = openNftPatiently(parts, () => {
      triedAfterMs.push((clock.nowMicros() - beganMicros) / 1000);
      return triedAfterMs.length < 9 ? Promise.reject(moment) : Promise.resolve(nft);
    });
    for (let pauses = 0; pauses < 8; pauses++) {
      await new Promise((resolve) => setImmediate(resolve)); // the failure is taken note of, and the next pause begins
      clock.advance(clock.nextTimerMs ?? 0);
    }
    expect(await opening).toBe(nft);
    // Pauses of 500 ms, doubled up to 30 s.
    expect(triedAfterMs).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500, 61_500, 91_500]);
    expect(failures).toEqual(Array(8).fill("nftables refused: Cannot allocate memory"));
    expect(clock.pendingTimers).toBe(0);
  });

  test("ends with whoever waits", async () => {
    const { clock, ending, parts } = wait();
    const opening = openNftPatiently(parts, () => Promise.reject(moment));
    await clock.advanceAsync(1, 1);
    ending.abort();
    expect(await opening).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });

  test.each(["not-permitted", "no-nft", "unsupported", "syntax"] as const)(
    "refuses at once where it is %s",
    async (code) => {
      const error = new NftError(code, "no");
      await expect(openNftPatiently(wait().parts, () => Promise.reject(error))).rejects.toBe(error);
    },
  );
});

test("cleanup removes the table, or finds none", async () => {
  const nft = new FakeNft(new FakeClock());
  await nft.run(new Transaction().add(table));
  expect(await cleanup(nft)).toBe("removed");
  expect(await cleanup(nft)).toBe("absent");
  nft.refuse = () => new NftError("not-permitted", "no");
  await expect(cleanup(nft)).rejects.toThrow("NET_ADMIN");
});
