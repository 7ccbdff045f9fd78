// npm test: sets up what is missing and runs every tier that needs this machine alone. `npm run bench` is the same for the
// benchmarks (`npm run bench -- latency`: one part), `npm run bench:scale` for many agents at one API server,
// `npm run test:chart` for those of the chart, `npm run test:container` for those of the image, `npm run test:cluster` for the
// tests against Kubernetes, `npm run soak` for the soak
// (`npm run soak -- --minutes 5 --seed 7`), `npm run test:differential` for more random scripts beside the real knockd,
// `npm run picture` for the picture of the dashboard in docs/.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chartProgramsObstacle, ensureChartPrograms } from "./chart-programs.mjs";
import { ensureNodePrograms, ensurePrograms, nodeProgramsObstacle, programsObstacle } from "./cluster-programs.mjs";
import { missingPackages } from "./debian-packages.mjs";
import { ensureImage } from "./image.mjs";
import { ip } from "./namespaces.mjs";
import { checkout } from "./npm-packages.mjs";
import { CannotGoOn, giveUp } from "./progress.mjs";
import { setUp } from "./setup.mjs";

/** Each run of vitest: its projects, and what it needs besides Node. */
const tiers = [
  { name: "unit, property and contract", projects: ["unit", "property", "contract"], needs: [] },
  { name: "chart", projects: ["chart"], needs: ["helm"] },
  { name: "netns", projects: ["netns"], needs: ["kernel"] },
  { name: "container", projects: ["container"], needs: ["kernel", "engine"] },
];
/** Those that are asked for by name. */
const named = new Map([
  ...["bench", "picture", "soak"].map((name) => [name, [{ name, projects: [name], needs: ["kernel"] }]]),
  ["differential", [{ name: "differential", projects: ["netns"], needs: ["kernel"] }]],
  ["chart", tiers.filter(({ name }) => name === "chart")],
  ["container", tiers.filter(({ name }) => name === "container")],
  [
    "cluster",
    [
      { name: "cluster", projects: ["cluster"], needs: ["programs", "helm"] },
      { name: "node", projects: ["node"], needs: ["kernel", "node", "engine"] },
    ],
  ],
  ["scale", [{ name: "scale", projects: ["scale"], needs: ["programs"] }]],
]);
/** Why a need cannot be met here; undefined when it can. */
const obstacles = {
  kernel: kernelObstacle,
  helm: chartProgramsObstacle,
  programs: programsObstacle,
  engine: engineObstacle,
  node: nodeObstacle,
};
/** What tests find by a variable: folders of programs, and the archive of the image. */
const built = {
  helm: ["KNOCKGATE_CHART_PROGRAMS", ensureChartPrograms],
  programs: ["KUBEBUILDER_ASSETS", ensurePrograms],
  engine: ["KNOCKGATE_IMAGE", ensureImage],
  node: ["KUBEBUILDER_ASSETS", ensureNodePrograms],
};

const isCi = process.env.CI === "true";
const reports = process.env.KNOCKGATE_REPORTS;
const [first, ...rest] = process.argv.slice(2);
const filters = filtersOf();
const wanted = (named.get(first) ?? tiers).filter(hasWanted);

function filtersOf() {
  if (first === "soak") return numbersFor("SOAK", { minutes: undefined, seed: undefined }, []);
  if (first === "differential")
    return numbersFor("DIFFERENTIAL", { scripts: "5000", seed: undefined }, ["test/netns/differential.test.ts"]);
  if (first === "bench") return benchFilters();
  return named.has(first) || first === undefined ? rest : [first, ...rest];
}

/** The parts of the benchmark by their names; `--page` also writes the documentation's page. */
function benchFilters() {
  if (rest.includes("--page")) process.env.KNOCKGATE_BENCH_PAGE = "1";
  return rest.filter((argument) => argument !== "--page").map((part) => `test/bench/${part}`);
}

/** Whether a tier has a file among those asked for by a part of their name: what others need is then not set up. */
function hasWanted({ projects }) {
  if (filters.length === 0 || filters.some((filter) => filter.startsWith("-"))) return true;
  const folders = projects.map((project) => `test/${project}`).filter((folder) => existsSync(join(checkout, folder)));
  const filesOf = (folder) =>
    readdirSync(join(checkout, folder), { recursive: true }).map((name) => `${folder}/${name}`);
  const files = folders.flatMap(filesOf);
  return folders.length === 0 || filters.some((filter) => files.some((file) => file.includes(filter)));
}

/** How long a test takes and what it begins with goes to it through the environment; there is nothing to choose from. */
function numbersFor(test, names, files) {
  const options = Object.fromEntries(
    Object.entries(names).map(([name, value]) => [name, { type: "string", ...(value && { default: value }) }]),
  );
  for (const [name, value] of Object.entries(parseArgs({ args: rest, options }).values)) {
    if (!(Number(value) >= 0)) throw new Error(`--${name} ${value} is no number`);
    process.env[`KNOCKGATE_${test}_${name.toUpperCase()}`] = value;
  }
  return files;
}

/** Root and network namespaces of our own. */
function kernelObstacle() {
  if (process.getuid() !== 0) return "root";
  const missing = missingPackages("test");
  if (missing.length > 0) return `the Debian packages ${missing.join(", ")}`;
  const name = `kg-probe-${process.pid}`;
  try {
    ip("netns", "add", name);
    const rules = { input: "add table inet probe\n", stdio: ["pipe", "ignore", "ignore"] };
    const loaded = spawnSync("ip", ["netns", "exec", name, "nft", "-f", "-"], rules);
    return loaded.status === 0 ? undefined : "nftables in the kernel";
  } catch {
    return "the right to make network namespaces (CAP_SYS_ADMIN)";
  } finally {
    spawnSync("ip", ["netns", "delete", name], { stdio: "ignore" });
  }
}

/** A Docker engine of our own, and the image that it builds. */
function engineObstacle() {
  if (process.getuid() !== 0) return "root";
  const missing = missingPackages("container");
  return missing.length === 0 ? undefined : `the Debian packages ${missing.join(", ")}`;
}

/** What a real node is made of, besides an image to run on it. */
function nodeObstacle() {
  const missing = missingPackages("node");
  return missing.length === 0 ? nodeProgramsObstacle() : `the Debian packages ${missing.join(", ")}`;
}

/** Which packages to set up: those of the most that is needed. */
function purposeOf(needs) {
  if (process.getuid() !== 0) return "run";
  if (needs.has("node")) return "node";
  if (needs.has("engine")) return "container";
  return needs.has("kernel") ? "test" : "run";
}

/** Runs one tier; resolves to whether all its tests passed. On CI the coverage gate is part of the first. */
function run({ name, projects }) {
  const args = [join(checkout, "node_modules/vitest/vitest.mjs"), "run", "--passWithNoTests"];
  for (const project of projects) args.push("--project", project);
  if (isCi && projects.includes("unit")) args.push("--coverage");
  if (reports !== undefined) {
    args.push("--reporter=default", "--reporter=json", `--outputFile.json=${join(reports, `${projects[0]}.json`)}`);
  }
  console.log(`\n== ${name} ==`);
  const child = spawn(process.execPath, [...args, ...filters], { cwd: checkout, stdio: "inherit" });
  return new Promise((resolve) => child.on("close", (code) => resolve(code === 0)));
}

async function runAll() {
  const needs = new Set(wanted.flatMap((tier) => tier.needs));
  await setUp(purposeOf(needs));
  const troubles = new Map([...needs].map((need) => [need, obstacles[need]()]));
  for (const [need, [variable, ensure]] of Object.entries(built)) {
    if (!needs.has(need) || troubles.get(need) !== undefined) continue;
    try {
      process.env[variable] = await ensure();
    } catch (error) {
      if (!(error instanceof CannotGoOn)) throw error;
      troubles.set(need, `what could not be built: ${error.message}`);
    }
  }
  const outcomes = [];
  const sayings = [];
  for (const tier of wanted) {
    const trouble = tier.needs.map((need) => troubles.get(need)).find((each) => each !== undefined);
    if (trouble !== undefined) {
      sayings.push(`The tier ${tier.name} was not run: it needs ${trouble}.`);
      outcomes.push(!isCi);
    } else outcomes.push(await run(tier));
  }
  for (const saying of sayings) console.log(`\n${saying}`);
  process.exit(outcomes.every(Boolean) ? 0 : 1);
}

process.on("SIGINT", () => {}); // vitest is told by the terminal too and ends in good order
runAll().catch(giveUp);
