import { expect, test } from "vitest";
import { tolerant } from "../../../src/sequence/tolerant.ts";

const first = 1;
const second = 2;
const third = 4;
const decoy = 0;

test.each([
  { name: "the first step begins", done: 0, role: first, kind: "advanced", after: 1, restartsClock: true },
  { name: "the second step advances", done: 1, role: second, kind: "advanced", after: 2, restartsClock: false },
  { name: "the last step completes", done: 2, role: third, kind: "completed", after: 3, restartsClock: false },
  {
    name: "the first step begins anew after a completion",
    done: 3,
    role: first,
    kind: "advanced",
    after: 1,
    restartsClock: true,
  },
  {
    name: "a second step without a first is ignored",
    done: 0,
    role: second,
    kind: "ignored",
    after: 0,
    restartsClock: false,
  },
  {
    name: "a decoy without a first step is ignored",
    done: 0,
    role: decoy,
    kind: "ignored",
    after: 0,
    restartsClock: false,
  },
  {
    name: "a decoy after a completion is ignored",
    done: 3,
    role: decoy,
    kind: "ignored",
    after: 3,
    restartsClock: false,
  },
  {
    name: "a second step after a completion is ignored",
    done: 3,
    role: second,
    kind: "ignored",
    after: 3,
    restartsClock: false,
  },
  {
    name: "the last step again after a completion is repeated",
    done: 3,
    role: third,
    kind: "repeated",
    after: 3,
    restartsClock: false,
  },
  { name: "a decoy resets", done: 2, role: decoy, kind: "reset", after: 0, restartsClock: false },
  { name: "a later step resets", done: 1, role: third, kind: "reset", after: 0, restartsClock: false },
  { name: "the first step resets and begins anew", done: 2, role: first, kind: "reset", after: 1, restartsClock: true },
  {
    name: "the first step again restarts the clock",
    done: 1,
    role: first,
    kind: "repeated",
    after: 1,
    restartsClock: true,
  },
  {
    name: "the step last accepted again changes nothing",
    done: 2,
    role: second,
    kind: "repeated",
    after: 2,
    restartsClock: false,
  },
  {
    name: "a port named twice in a row advances",
    done: 1,
    role: first | second,
    kind: "advanced",
    after: 2,
    restartsClock: false,
  },
])("$name", ({ done, role, kind, after, restartsClock }) => {
  expect(tolerant(done, 3, role, false, true)).toMatchObject({ kind, done: after, restartsClock });
});

test.each([
  { name: "a late step ends the progress", role: second, kind: "expired", after: 0 },
  { name: "a late decoy ends the progress", role: decoy, kind: "expired", after: 0 },
  { name: "a late first step begins anew", role: first, kind: "expired", after: 1 },
])("$name", ({ role, kind, after }) => {
  expect(tolerant(2, 3, role, false, false)).toMatchObject({ kind, done: after, restartsClock: after === 1 });
});

test.each([0, 1, 2, 3])("a retransmission changes nothing, in time or late, with %i steps done", (done) => {
  for (const role of [first, second, third, first | third]) {
    for (const inTime of [true, false]) {
      const move = { kind: "repeated", done, remembersAs: undefined, restartsClock: false };
      expect(tolerant(done, 3, role, true, inTime)).toEqual(move);
    }
  }
});

test("a sequence of one step completes at once, and again with every new packet", () => {
  expect(tolerant(0, 1, first, false, true)).toMatchObject({ kind: "completed", done: 1, remembersAs: 0 });
  expect(tolerant(1, 1, first, false, false)).toMatchObject({ kind: "completed", done: 1, remembersAs: 0 });
});

test("a sequence of 32 steps advances through all of them", () => {
  for (let step = 0; step < 32; step++) {
    const kind = step === 31 ? "completed" : "advanced";
    expect(tolerant(step, 32, 1 << step, false, true)).toMatchObject({ kind, done: step + 1, remembersAs: step });
  }
});

test("only what advances or comes again is remembered", () => {
  expect(tolerant(2, 3, second, false, true).remembersAs).toBe(1);
  expect(tolerant(2, 3, decoy, false, true).remembersAs).toBeUndefined();
  expect(tolerant(0, 3, second, false, true).remembersAs).toBeUndefined();
});
