import { expect, test } from "vitest";
import { tellPart, tellProgress } from "./bench-results.ts";
import { oddsReport } from "./odds.ts";

const scanPasses = 100_000;

test("how often a scan opens a door", () => {
  tellProgress(`odds: ${scanPasses} passes for each kind of door`);
  const { random, ordered } = oddsReport(scanPasses);
  const measured =
    "One door opened in so many passes over the ports: by the formula, and by simulation in the tracker.";
  tellPart({ title: "Odds of random-order scans", measured, rows: random.map((row) => ({ ...row })) });
  tellPart({ title: "Scans in order", measured: "Which of them open a door with these steps.", rows: ordered });
  expect(random.length + ordered.length).toBeGreaterThan(0);
});
