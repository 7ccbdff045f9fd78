#!/usr/bin/env node
import "./cli/young-generation.ts";
import { kubeCommands } from "./cli/kube-commands.ts";
import { processIo } from "./cli/process-io.ts";
import { runProgram } from "./cli/program.ts";
import type { CommandLoaders } from "./cli/wiring.ts";

const commands: CommandLoaders = {
  ...kubeCommands,
  agent: async () => (await import("./cli/agent.ts")).agentCommand,
  knock: async () => (await import("./cli/knock.ts")).knockCommand,
  knockd: async () => (await import("./cli/knockd.ts")).knockdCommand,
  watch: async () => (await import("./cli/watch.ts")).watchCommand,
  check: async () => (await import("./cli/check.ts")).checkCommand,
  ruleset: async () => (await import("./cli/ruleset.ts")).rulesetCommand,
  replay: async () => (await import("./cli/replay.ts")).replayCommand,
  hunt: async () => (await import("./cli/hunt.ts")).huntCommand,
  convert: async () => (await import("./cli/convert.ts")).convertCommand,
  grants: async () => (await import("./cli/grants.ts")).grantsCommand,
  revoke: async () => (await import("./cli/revoke.ts")).revokeCommand,
  confirm: async () => (await import("./cli/confirm.ts")).confirmCommand,
  cleanup: async () => (await import("./cli/cleanup.ts")).cleanupCommand,
  doctor: async () => (await import("./cli/doctor.ts")).doctorCommand,
};

process.exitCode = await runProgram(process.argv.slice(2), processIo(), commands);
