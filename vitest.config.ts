import { defineConfig } from "vitest/config";

/** The stages whose lines must be covered by tests that need no network: 95 % of each. */
const coveredStages = ["decode", "sequence", "policy", "nftables"];

export default defineConfig({
  test: {
    retry: 0,
    allowOnly: false,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 10_000 },
      },
      {
        extends: true,
        test: { name: "property", include: ["test/property/**/*.test.ts"], testTimeout: 60_000 },
      },
      {
        extends: true,
        test: { name: "contract", include: ["test/contract/**/*.test.ts"], testTimeout: 30_000, hookTimeout: 30_000 },
      },
      {
        extends: true,
        test: { name: "chart", include: ["test/chart/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          name: "netns",
          include: ["test/netns/**/*.test.ts", "test/monitoring/**/*.test.ts"],
          // Real clients, real time: one file at a time, so that a slow machine is not made slower by its own tests.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "cluster",
          include: ["test/cluster/**/*.test.ts"],
          globalSetup: ["test/cluster/global-setup.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "container",
          include: ["test/container/**/*.test.ts"],
          globalSetup: ["test/container/global-setup.ts"],
          // The library's own cleaner is an image that may not be there to pull; the engine ends with the run.
          env: { TESTCONTAINERS_RYUK_DISABLED: "true" },
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "node",
          include: ["test/node/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "bench",
          include: ["test/bench/**/*.bench.ts"],
          globalSetup: ["test/bench/bench-run.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: { name: "picture", include: ["test/monitoring/**/*.picture.ts"], hookTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          name: "scale",
          include: ["test/scale/**/*.scale.ts"],
          fileParallelism: false,
          execArgv: ["--max-old-space-size=8192"], // a thousand doors on five hundred nodes in one process
        },
      },
      {
        extends: true,
        test: { name: "soak", include: ["test/soak/**/*.soak.ts"], fileParallelism: false },
      },
    ],
    coverage: {
      provider: "v8",
      include: coveredStages.map((stage) => `src/${stage}/**/*.ts`),
      reporter: ["text", "json-summary"],
      reportsDirectory: "coverage",
      thresholds: Object.fromEntries(coveredStages.map((stage) => [`src/${stage}/**/*.ts`, { lines: 95 }])),
    },
  },
});
