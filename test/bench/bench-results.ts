import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../bench-results/", import.meta.url));
const partsFolder = join(folder, "parts");

/** One part of the benchmark: its rows, and what was measured in a sentence. */
export interface BenchPart {
  readonly title: string;
  readonly measured: string;
  readonly rows: readonly Readonly<Record<string, string | number | boolean>>[];
  /** What of it was to be reached. */
  readonly goals?: readonly BenchGoal[];
  /** Latencies in milliseconds, sorted, for the drawing of their distribution. */
  readonly series?: readonly BenchSeries[];
}

/** One figure that was to be reached; the peers' where they have one, from the same run. */
export interface BenchGoal {
  readonly work: string;
  readonly ours: string;
  readonly knockd?: string;
  readonly fwknopd?: string;
  /** How many times better than the peer named, such as `31 × knockd`. */
  readonly ratio?: string;
  readonly target: string;
  readonly isMet: boolean;
}

/** All times of one gate at one kind of work; of so many knocks, some may never have opened. */
export interface BenchSeries {
  readonly knocks: number;
  readonly work: string;
  readonly rival: string;
  readonly milliseconds: readonly number[];
}

/** A whole run: what was measured, when, and on which machine. */
export interface BenchRun {
  readonly measuredAt: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly parts: readonly BenchPart[];
}

/** Rows as people read them. */
export function benchTable({ title, measured, rows }: BenchPart): string {
  return [`== ${title}`, measured, "", alignedTable(rows), ""].join("\n");
}

/** The goals of all parts as one table. */
export function goalTable(parts: readonly BenchPart[]): string {
  const rows = parts.flatMap(({ goals = [] }) =>
    goals.map(({ work, ours, knockd = "", fwknopd = "", ratio = "", target, isMet }) => {
      return { work, ours, knockd, fwknopd, ratio, target, reached: isMet ? "met" : "NOT MET" };
    }),
  );
  return rows.length === 0 ? "" : alignedTable(rows);
}

function alignedTable(rows: BenchPart["rows"]): string {
  const heads = Object.keys(rows[0] ?? {});
  const cells = rows.map((row) => heads.map((head) => shown(row[head])));
  const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return [line(heads), ...cells.map(line)].join("\n");
}

/** Forgets the parts of a run before. */
export function beginRun(): void {
  rmSync(partsFolder, { recursive: true, force: true });
  mkdirSync(partsFolder, { recursive: true });
}

/** Prints one part, and keeps it until the run is whole. Written past vitest, which would head each line with the test's name. */
export function tellPart(part: BenchPart): void {
  process.stdout.write(`${benchTable(part)}\n`);
  const number = String(readdirSync(partsFolder).length).padStart(3, "0");
  writeFileSync(join(partsFolder, `${number}.json`), JSON.stringify(part));
}

/** Says how far long work has come. */
export function tellProgress(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Writes all parts, and on which machine they were measured, to one new file; undefined where nothing was measured. */
export function endRun(): { readonly file: string; readonly run: BenchRun } | undefined {
  const names = readdirSync(partsFolder).sort();
  const parts = names.map((name) => JSON.parse(readFileSync(join(partsFolder, name), "utf8")) as BenchPart);
  rmSync(partsFolder, { recursive: true, force: true });
  if (parts.length === 0) return undefined;
  const measuredAt = new Date().toISOString();
  const machine = {
    kernel: release(),
    arch: arch(),
    processors: cpus().length,
    model: cpus()[0]?.model ?? "unknown",
    node: process.version,
  };
  const run = { measuredAt, machine, parts };
  const file = join(folder, `bench-${measuredAt.replace(/[:.]/g, "-")}.json`);
  writeFileSync(file, `${JSON.stringify(run, undefined, 2)}\n`);
  return { file, run };
}

function shown(value: string | number | boolean | undefined): string {
  if (typeof value !== "number" || Number.isInteger(value)) return String(value ?? "");
  return value.toFixed(value < 100 ? 2 : 0);
}
