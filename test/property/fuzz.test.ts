import { describe, expect, test } from "vitest";
import { inputOf, targets } from "../fuzz/targets.ts";

/** The beginning of `npm run fuzz`, which goes on to a million inputs of each kind. */
const inputs = 1500;
const fixedSeed = 1;
const freshSeed = Date.now() >>> 0;

describe.each(targets)("$name: what nobody vouches for is read without an exception", (target) => {
  test.each([fixedSeed, freshSeed])("from seed %i on", async (seed) => {
    let number = 0;
    try {
      for (; number < inputs; number++) await target.run(inputOf(target, seed, number));
    } catch (error) {
      expect.fail(`npm run fuzz -- --target ${target.name} --seed ${seed} --number ${number}: ${String(error)}`);
    }
  });
});
