import { afterAll, expect, test } from "vitest";
import { type BenchPart, benchTable, writeResults } from "./bench-results.ts";
import { expectedMedianMs, expectedRatio, goals, latencyFigures, verdictOf } from "./latency.ts";
import { matcherFigures } from "./matcher.ts";
import { oddsReport } from "./odds.ts";

const knocks = 200;
const scanPasses = 100_000;
const parts: BenchPart[] = [];

afterAll(() => {
  say(parts.map(benchTable).join("\n"));
  say(`Written to ${writeResults(parts)}`);
});

test("how soon a right knock opens, beside the real knockd", async () => {
  const figures = await latencyFigures(knocks, say);
  parts.push({
    title: `Latency over ${knocks} knocks, in milliseconds`,
    measured:
      "From the last knock packet being handed to the kernel, in the client's namespace, to the kernel's notice that the " +
      "element is in the set (goal element), and to the first connection that is accepted of attempts every 0.2 ms (goal " +
      "connection). Both gates have the same table and are knocked on in turn; knockd runs `nft add element`.",
    rows: figures.map((figure) => ({ ...figure })),
  });
  const verdicts = goals.map((goal) => verdictOf(goal, figures));
  parts.push({
    title: "Knockgate against knockd",
    measured: `Expected of the element: a median under ${expectedMedianMs} ms, at least ${expectedRatio} times quicker than knockd.`,
    rows: verdicts.map(({ goal, ratio, isAsExpected }) => ({
      goal,
      "times quicker": ratio,
      expectation: isAsExpected ? "met" : "NOT MET",
    })),
  });
  for (const { rival, reached } of figures) if (rival === "knockgate") expect(reached).toBe(knocks);
});

test("how many knocks the matcher takes", () => {
  say("matcher: nine runs of two million knocks");
  const rows = matcherFigures().map((figure) => ({ ...figure }));
  parts.push({ title: "Matcher, one thread", measured: "Knocks a second through the tracker alone.", rows });
});

test("how often a scan opens a door", () => {
  say(`odds: ${scanPasses} passes for each kind of door`);
  const { random, ordered } = oddsReport(scanPasses);
  const measured =
    "One door opened in so many passes over the ports: by the formula, and by simulation in the tracker.";
  parts.push({ title: "Odds of random-order scans", measured, rows: random.map((row) => ({ ...row })) });
  parts.push({ title: "Scans in order", measured: "Which of them open a door with these steps.", rows: ordered });
});

/** Written past vitest, which would head each line with the test's name. */
function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
