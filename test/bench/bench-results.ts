import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus, release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../bench-results/", import.meta.url));

/** One part of the benchmark: its rows, and what was measured in a sentence. */
export interface BenchPart {
  readonly title: string;
  readonly measured: string;
  readonly rows: readonly Readonly<Record<string, string | number | boolean>>[];
}

/** Rows as people read them. */
export function benchTable({ title, measured, rows }: BenchPart): string {
  const heads = Object.keys(rows[0] ?? {});
  const cells = rows.map((row) => heads.map((head) => shown(row[head])));
  const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return [`== ${title}`, measured, "", line(heads), ...cells.map(line), ""].join("\n");
}

/** Writes all parts, and on which machine they were measured, to one new file; returns its path. */
export function writeResults(parts: readonly BenchPart[]): string {
  mkdirSync(folder, { recursive: true });
  const measuredAt = new Date().toISOString();
  const machine = { kernel: release(), arch: arch(), processors: cpus().length, node: process.version };
  const file = join(folder, `bench-${measuredAt.replace(/[:.]/g, "-")}.json`);
  writeFileSync(file, `${JSON.stringify({ measuredAt, machine, parts }, undefined, 2)}\n`);
  return file;
}

function shown(value: string | number | boolean | undefined): string {
  if (typeof value !== "number" || Number.isInteger(value)) return String(value ?? "");
  return value.toFixed(value < 100 ? 2 : 0);
}
