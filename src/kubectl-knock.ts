#!/usr/bin/env node
import { kubeCommands } from "./cli/kube-commands.ts";
import { runPlugin } from "./cli/kubectl-plugin.ts";
import { processIo } from "./cli/process-io.ts";

process.exitCode = await runPlugin(process.argv.slice(2), processIo(), kubeCommands);
