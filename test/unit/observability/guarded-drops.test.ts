import { beforeEach, describe, expect, test } from "vitest";
import { GuardedDrops } from "../../../src/observability/guarded-drops.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

let clock: FakeClock;
let failures: string[];
let drops: GuardedDrops;

beforeEach(() => {
  clock = new FakeClock();
  failures = [];
  drops = new GuardedDrops(clock, (reason) => failures.push(reason));
});

describe("the packets dropped", () => {
  test("are unknown before the kernel can be asked, and while it has no table", async () => {
    expect(await drops.read()).toBeUndefined();
    drops.askBy(async () => undefined);
    expect(await drops.read()).toBeUndefined();
  });

  test("are what the kernel says, and a table that is gone for a moment forgets nothing", async () => {
    const answers = [7, undefined, 9];
    drops.askBy(async () => answers.shift());
    expect([await drops.read(), await drops.read(), await drops.read()]).toEqual([7, 7, 9]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("are what was last heard where the kernel does not answer in half a second; it is not asked twice at once", async () => {
    let asked = 0;
    const waiting: ((count: number) => void)[] = [];
    drops.askBy(async () => (asked++ === 0 ? 3 : await new Promise<number>((resolve) => waiting.push(resolve))));
    await drops.read();
    const [one, other] = [drops.read(), drops.read()];
    clock.advance(500);
    expect([await one, await other]).toEqual([3, 3]);
    expect(asked).toBe(2);
    const late = drops.read();
    waiting[0]?.(5);
    expect(await late).toBe(5);
  });

  test("that cannot be read are told once, and again after they could", async () => {
    const answers = [new Error("one"), new Error("two"), 4, new Error("three")];
    drops.askBy(async () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    });
    for (let time = 0; time < 4; time++) await drops.read();
    expect(failures).toEqual(["one", "three"]);
  });
});
