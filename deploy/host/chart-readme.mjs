// Writes the README of the chart with helm-docs: `npm run generate:chart`. The chart tests prove that it is current.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureChartPrograms } from "./chart-programs.mjs";
import { checkout } from "./npm-packages.mjs";
import { giveUp } from "./progress.mjs";

try {
  const helmDocs = join(await ensureChartPrograms(), "helm-docs");
  const args = ["--chart-search-root", join(checkout, "helm"), "--sort-values-order", "file"];
  process.exitCode = spawnSync(helmDocs, args, { stdio: "inherit" }).status ?? 1;
} catch (error) {
  giveUp(error);
}
