import { describe, expect, test } from "vitest";
import { judgeEvent, nothingSeen, wordsOf } from "../../../src/cli/watch-verdict.ts";
import type { WatchEvent } from "../../../src/observability/watch-hub.ts";

const time = "2026-01-02T03:04:05Z";
const steps = 3;
const at = (kind: WatchEvent["kind"], step = 0, reason?: string): WatchEvent => ({ time, kind, step, steps, reason });
const advanced = (step: number) => at("advanced", step);
const door = (kind: WatchEvent["kind"], more: Partial<WatchEvent> = {}): WatchEvent => ({ time, kind, ...more });

describe("a verdict", () => {
  test.each<{ name: string; events: readonly WatchEvent[]; words: string }>([
    { name: "nothing came", events: [], words: "no knock seen" },
    {
      name: "the third step never came",
      events: [advanced(1), advanced(2)],
      words: "2 of 3 steps, the next has not come",
    },
    {
      name: "the second step was another port",
      events: [advanced(1), at("reset", 0, "a step came out of order")],
      words: "wrong step at step 2 of 3: a step came out of order",
    },
    {
      name: "what follows a wrong step does not hide it",
      events: [advanced(1), advanced(2), at("reset", 0, "a decoy was hit"), at("ignored", 0, "nothing was begun")],
      words: "wrong step at step 3 of 3: a decoy was hit",
    },
    {
      name: "a wrong step that was the first one begins anew, and the next goes wrong again",
      events: [advanced(1), at("reset", 1), at("reset", 0)],
      words: "wrong step at step 2 of 3",
    },
    { name: "its beginning was not seen", events: [at("reset")], words: "wrong step" },
    {
      name: "the second step came too late",
      events: [advanced(1), at("expired", 0, "too slow: the window had run out")],
      words: "too slow at step 2 of 3: too slow: the window had run out",
    },
    {
      name: "a packet came twice",
      events: [advanced(1), at("repeated", 1)],
      words: "1 of 3 steps, the next has not come",
    },
    { name: "nothing was begun", events: [at("ignored", 0, "it does not fit")], words: "not counted: it does not fit" },
    { name: "a closing sequence", events: [at("completed", 3)], words: "all steps done" },
    {
      name: "right, and refused",
      events: [advanced(1), advanced(2), at("completed", 3), door("grant-refused", { reason: "never-grant" })],
      words: "refused: never-grant",
    },
    {
      name: "right",
      events: [at("completed", 3), door("grant-added", { until: time })],
      words: `open: until ${time}`,
    },
    {
      name: "open, and over",
      events: [at("completed", 3), door("grant-added"), door("grant-expired")],
      words: "closed again",
    },
    {
      name: "after a door that is over it begins anew",
      events: [door("grant-expired"), advanced(1)],
      words: "1 of 3 steps, the next has not come",
    },
  ])("$name", ({ events, words }) => {
    expect(wordsOf(events.reduce(judgeEvent, nothingSeen))).toBe(words);
  });
});
