import { type ScannedPorts, sampleSequences, scanOdds } from "../../src/cli/scan-odds.ts";
import { type Knock, protocolNumber, tcpFlag } from "../../src/decode/knock.ts";
import { drawDecoys } from "../../src/policy/decoys.ts";
import type { PortKey } from "../../src/policy/port.ts";
import { scannerPorts } from "../../src/policy/scanner-ports.ts";
import { KnockTracker } from "../../src/sequence/knock-tracker.ts";
import { policyOf, sequenceOf } from "../fake/policies.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A scanner before a door that is opened by these steps; each scan begins when the window of the one before has run out. */
export class ScannedDoor {
  readonly watched: readonly PortKey[];
  readonly decoys: readonly PortKey[];
  readonly #tracker: KnockTracker;
  readonly #knock: Writable<Knock>;
  #opened = 0;

  constructor(steps: readonly PortKey[], decoys: number) {
    this.decoys = drawDecoys(steps, decoys, () => false);
    this.watched = [...steps, ...this.decoys];
    this.#tracker = new KnockTracker({
      maxSources: 100,
      report: { outcome: () => {}, evicted: () => {} },
      complete: () => this.#opened++,
    });
    this.#tracker.usePolicies([policyOf("test/door", sequenceOf("", { steps, decoys: this.decoys }))]);
    this.#knock = {
      atMicros: 0,
      stampMicros: 0,
      source: Uint32Array.of(0, 0, 0xffff, 1),
      target: Uint32Array.of(0, 0, 0xffff, 2),
      protocol: protocolNumber.tcp,
      port: 0,
      sourcePort: 0,
      flags: tcpFlag.syn,
      sequenceNumber: 0,
      ipId: 0,
    };
  }

  /** How often the door opens when the ports are sent to in this order. */
  scan(ports: Iterable<number>): number {
    const before = this.#opened;
    this.#knock.atMicros += 20_000_000;
    for (const port of ports) {
      this.#knock.port = port;
      this.#knock.sequenceNumber = (this.#knock.sequenceNumber + 1) >>> 0;
      this.#tracker.observe(this.#knock);
    }
    return this.#opened - before;
  }
}

/** Random numbers that are the same in every run (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Puts the ports in a random order, in place (Fisher and Yates). */
export function shuffle(ports: number[], random: () => number): number[] {
  for (let at = ports.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [ports[at], ports[other]] = [ports[other] ?? 0, ports[at] ?? 0];
  }
  return ports;
}

/** What was computed and what was counted. */
export interface OddsRow {
  readonly steps: number;
  readonly decoys: number;
  readonly ports: ScannedPorts;
  /** One door opened in so many passes, by the formula. */
  readonly computedOnceIn: number;
  /** The same by simulation; Infinity when none opened. */
  readonly simulatedOnceIn: number;
  readonly opened: number;
  readonly passes: number;
}

/**
 * Passes in random order through the real tracker. Only the watched ports are sent: the tracker answers all others
 * before it looks at the source.
 */
export function randomScans(steps: number, decoys: number, ports: ScannedPorts, passes: number): OddsRow {
  const random = randomFrom(steps * 1000 + decoys);
  const usual = new Set(scannerPorts.tcp);
  const sequences = sampleSequences(steps, 20);
  let [opened, computed] = [0, 0];
  for (const sequence of sequences) {
    const door = new ScannedDoor(sequence, decoys);
    const sent = door.watched.filter((port) => ports === "all" || usual.has(port));
    computed += scanOdds(sequence, door.decoys, ports) / sequences.length;
    for (let pass = 0; pass < passes / sequences.length; pass++) opened += door.scan(shuffle(sent, random));
  }
  return { steps, decoys, ports, computedOnceIn: 1 / computed, simulatedOnceIn: passes / opened, opened, passes };
}

/** Scans with a stride: `from`, `from + by`, … */
export function strideScan(from: number, by: number): number[] {
  const ports: number[] = [];
  for (let port = from; port >= 1 && port <= 65535; port += by) ports.push(port);
  return ports;
}

/** The scans that go through the ports in order. */
export const orderedScans = {
  ascending: strideScan(1, 1),
  descending: strideScan(65535, -1),
  "odd, ascending": strideScan(1, 2),
  "even, ascending": strideScan(2, 2),
  "odd, descending": strideScan(65535, -2),
  "even, descending": strideScan(65534, -2),
  "every thousandth": strideScan(1000, 1000),
  "usual, ascending": [...scannerPorts.tcp],
} as const;

/** Which ordered scans open a door with these steps. */
export function opensFor(steps: readonly PortKey[], decoys: number): string[] {
  return Object.entries(orderedScans).flatMap(([name, ports]) =>
    new ScannedDoor(steps, decoys).scan(ports) > 0 ? [name] : [],
  );
}

/** Every table, for people. */
export function oddsReport(passes = 400_000): { random: OddsRow[]; ordered: Record<string, string>[] } {
  const random = [3, 4, 5].flatMap((steps) =>
    [0, 64].flatMap((decoys) => (["all", "usual"] as const).map((ports) => randomScans(steps, decoys, ports, passes))),
  );
  const doors = [
    [7000, 8000, 9000],
    [7000, 9000, 8000],
    [9000, 8000, 7000],
    [7000, 7001, 7002],
    [7000, 7002, 7004],
    [7000, 7003, 7006],
  ];
  const ordered = doors.flatMap((steps) =>
    [64, 0].map((decoys) => ({
      steps: steps.join(" "),
      decoys: String(decoys),
      opens: opensFor(steps, decoys).join("; ") || "none",
    })),
  );
  const scattered = sampleSequences(3, 100).map((steps) => [...steps].sort((one, other) => one - other));
  const opening = scattered.flatMap((steps) => opensFor(steps, 64).map((scan) => `${steps.join(" ")} by ${scan}`));
  ordered.push({ steps: "100 ascending ones from the usual ports", decoys: "64", opens: opening.join("; ") || "none" });
  return { random, ordered };
}
