import { describe, expect, test } from "vitest";
import { oddsPage } from "../../../src/cli/odds-page.ts";
import { averageOdds, sampleSequences, scanOdds } from "../../../src/cli/scan-odds.ts";
import { opensFor, ScannedDoor } from "../../bench/odds.ts";
import { portKeys } from "../../fake/policies.ts";

/** Every order of the ports. */
function* ordersOf(ports: readonly number[]): Generator<number[]> {
  if (ports.length === 0) yield [];
  for (const port of ports) for (const rest of ordersOf(ports.filter((other) => other !== port))) yield [port, ...rest];
}

describe("the odds of a scan in random order", () => {
  test.each([
    { steps: "7000 8000", watched: 4 },
    { steps: "7000 9000 8000", watched: 7 },
    { steps: "1000 3000 2000 4000", watched: 8 },
  ])("are those of all orders tried on the tracker: $steps", ({ steps, watched }) => {
    const door = new ScannedDoor(portKeys(steps), 1);
    const sent = door.watched.slice(0, watched);
    const orders = [...ordersOf(sent)];
    const opened = orders.filter((order) => door.scan(order) > 0).length;
    const decoys = sent.slice(portKeys(steps).length);
    expect(opened / orders.length).toBeCloseTo(scanOdds(portKeys(steps), decoys, "all"), 12);
  });

  test("are zero where the scan leaves a step out", () => {
    expect(scanOdds(portKeys("22 80 60123"), [], "usual")).toBe(0);
  });

  test("are about once in 5,000 for three steps over all ports and once in 1,500 over the usual ones", () => {
    expect(1 / averageOdds(3, 64).all).toBeCloseTo(73 * 72, -2);
    expect(1 / averageOdds(3, 64).usual).toBeGreaterThan(1400);
  });
});

describe("a scan in order", () => {
  test.each([
    { steps: "7000 9000 8000", scans: [] },
    { steps: "9000 8000 7000", scans: [] },
    { steps: "7000 7003 7006", scans: [] },
    { steps: "7000 8000 9000", scans: ["every thousandth"] },
    { steps: "7000 7001 7002", scans: ["ascending", "usual, ascending"] },
    { steps: "7002 7001 7000", scans: ["descending"] },
  ])("of $steps opens by $scans", ({ steps, scans }) => {
    expect(opensFor(portKeys(steps), 64)).toEqual(scans);
  });

  test("opens nothing among ascending steps that are not in its stride", () => {
    for (const sequence of sampleSequences(3, 10)) {
      const steps = [...sequence].sort((one, other) => one - other);
      expect(opensFor(steps, 64)).toEqual([]);
    }
  });

  test("is not in the way of a knock right after it", () => {
    const door = new ScannedDoor(portKeys("7000 8000 9000"), 64);
    const scan = [...door.watched].sort((one, other) => one - other);
    expect(door.scan(scan)).toBe(0);
    expect(door.scan([...scan, 7000, 8000, 9000])).toBe(1);
  });
});

test("the page gives the odds and does not say that it cannot happen", () => {
  const page = oddsPage();
  expect(page).toContain("| 64 | once in 70 | once in 5,260 |");
  expect(page).not.toMatch(/\bcannot open the door\.|impossible|never opens a door/);
  expect(page).toBe(oddsPage());
});
