/**
 * The stage rules of src: packets flow from left to right, and a stage imports only the stage to its left and `policy`.
 * `kubernetes` is the API, from which config-source reads too, and through which replication opens grants on every node. `control` is the unix socket: it offers what its callers hand in,
 * so it sees only `policy`. `clock.ts`, `line-reader.ts` and `state-file.ts` are for all.
 */
const shared = ["^src/policy/", "^src/(clock|line-reader|state-file)\\.ts$"];

/** What each stage may import of src, besides itself and what is shared. */
const stages = {
  policy: [],
  decode: ["decode"],
  capture: ["capture", "decode"],
  sequence: ["sequence", "decode"],
  grant: ["grant", "sequence"],
  command: ["command", "grant", "sequence"],
  nftables: ["nftables", "grant"],
  kubernetes: ["kubernetes"],
  replication: ["replication", "kubernetes", "grant", "sequence"],
  "config-source": ["config-source", "kubernetes"],
  control: ["control"],
  hunt: ["hunt", "decode"],
  sniffers: ["sniffers"],
};

/** Node modules, built in and not, that reach the world outside the process. */
const effects = [
  "^(node:)?(fs|net|tls|child_process|dgram|dns|http|http2|https|os|worker_threads|cluster|process|timers|readline)(/|$)",
  "node_modules/(pcap|koffi|fastify|pino|pino-pretty|prom-client|commander)/",
];

const stageRules = Object.entries(stages).map(([stage, left]) => ({
  name: `stage-${stage}`,
  comment: `${stage} imports only ${[...left, "policy", "clock.ts"].join(", ")}: the flow goes in one direction.`,
  severity: "error",
  from: { path: `^src/${stage}/` },
  to: { path: "^src/", pathNot: [...shared, ...left.map((name) => `^src/${name}/`)] },
}));

const doors = [
  { name: "@kubernetes", from: "^src/kubernetes/(credentials|kubeconfig)\\.ts$" },
  { name: "ws", from: "^src/kubernetes/pod-exec\\.ts$" },
  { name: "pcap", from: "^src/capture/" },
  { name: "koffi", from: "^src/(nftables/(libnftables|generation)|socket-owner)\\.ts$" },
  { name: "fastify", from: "^src/(observability|control)/" },
  { name: "prom-client", from: "^src/observability/" },
  { name: "pino(-pretty)?", from: "^src/observability/" },
  { name: "commander", from: "^src/(cli/|options)" },
  { name: "(zod|yaml)", from: "^src/(policy|cli)/" },
  { name: "ipaddr\\.js", from: "^src/policy/" },
];

const doorRules = doors.map(({ name, from }) => ({
  name: `door-${name.replace(/\W/g, "")}`,
  comment: `One door per foreign thing: ${name} is imported only by ${from}.`,
  severity: "error",
  from: { path: "^src/", pathNot: from },
  to: { path: `node_modules/${name}/` },
}));

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      comment: "A cycle hides which of the two owns the idea.",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "no-orphans",
      comment: "A file that nobody imports is dead.",
      severity: "error",
      from: { orphan: true, path: "^src/", pathNot: "^src/(main|kubectl-knock)\\.ts$" },
      to: {},
    },
    ...stageRules,
    {
      name: "observability-sees-types-only",
      comment: "Observability is told; of other stages it takes types and closed lists of names, not behaviour.",
      severity: "error",
      from: { path: "^src/observability/" },
      to: { path: "^src/(agent|options|instance-lock|cli|control)" },
    },
    {
      name: "only-cli-asks-the-doctor",
      comment:
        "The doctor sees what cli sees; beside cli only what the KnockNode says comes from it: nothing works differently because it looked.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/((cli|doctor)/|kubernetes-status\\.ts$)" },
      to: { path: "^src/doctor/" },
    },
    {
      name: "the-doctor-starts-nothing",
      comment: "It judges each stage by its pure parts, and never builds an agent or shows results itself.",
      severity: "error",
      from: { path: "^src/doctor/" },
      to: { path: "^src/(agent|cli/|main\\.ts|observability/)" },
    },
    {
      name: "nobody-depends-on-observability",
      comment: "Stages report through small interfaces of their own; what a KnockNode says is what /statusz says.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(observability/|cli/|agent|(kubernetes-status|node-claim)\\.ts$)" },
      to: { path: "^src/observability/" },
    },
    {
      name: "main-names-the-commands",
      comment: "main.ts and the plug-in's entry hand over to the commands and set the exit code, nothing else.",
      severity: "error",
      from: { path: "^src/(main|kubectl-knock)\\.ts$" },
      to: { path: "^src/", pathNot: "^src/cli/" },
    },
    {
      name: "nobody-imports-the-top",
      comment: "Only cli and agent.ts see everything; nothing below them looks up.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/((main|kubectl-knock)\\.ts|cli/|agent)" },
      to: { path: "^src/((main|kubectl-knock)\\.ts|cli/|agent)" },
    },
    {
      name: "pure-stages-have-no-effects",
      comment: "decode, sequence, hunt and policy take values and return values.",
      severity: "error",
      from: { path: "^src/(decode|sequence|hunt|policy)/" },
      to: { path: effects },
    },
    ...doorRules,
    {
      name: "pcap-only-through-one-file",
      comment: "The addon aborts Node in a worker and blocks its loop: one file of the capture child loads it.",
      severity: "error",
      from: {},
      module: { path: "node_modules/pcap/", numberOfDependentsMoreThan: 1 },
    },
    {
      name: "client-library-is-loaded-late",
      comment: "It takes a third of a second and 80 MB: agents that do not use the API must not pay for it.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/kubernetes/credentials\\.ts$" },
      to: {
        path: "^src/kubernetes/(credentials|kubeconfig)\\.ts$",
        dynamic: false,
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "sources-do-not-import-tests",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|deploy|docs)/" },
    },
    {
      name: "no-unresolvable",
      comment: "An import that cannot be resolved fails at run time.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "no-dev-dependencies-in-src",
      comment: "What src needs is installed with it.",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
  ],
  required: [],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|coverage)/" },
    enhancedResolveOptions: {
      extensions: [".ts", ".js", ".mjs", ".cjs", ".json"],
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
    },
  },
};
