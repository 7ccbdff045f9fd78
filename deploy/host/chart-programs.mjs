// The programs of the chart tests: Helm, and helm-docs, which writes the chart's README. Built once.

import { join } from "node:path";
import { GoPrograms } from "./go-programs.mjs";
import { checkout } from "./npm-packages.mjs";

const modules = join(checkout, "test/chart/programs");
const programs = {
  helm: { module: join(modules, "helm"), source: "helm.sh/helm/v4/cmd/helm", flags: [], takes: "100 seconds" },
  "helm-docs": {
    module: join(modules, "helm-docs"),
    source: "github.com/norwoodj/helm-docs/cmd/helm-docs",
    flags: [],
    takes: "20 seconds",
  },
};
const built = new GoPrograms("chart", programs);

/** What is missing on this machine to have them; undefined when they are there or can be built. */
export function chartProgramsObstacle() {
  return built.obstacle();
}

/** The folder that has them, after those missing have been built. */
export function ensureChartPrograms() {
  return built.ensure();
}
