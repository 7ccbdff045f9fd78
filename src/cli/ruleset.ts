import { watchFor } from "../capture-watch.ts";
import { readAllFiles } from "../config-source/config-files.ts";
import { gateSpecFor } from "../gate-spec.ts";
import { renderLogRules } from "../nftables/log-rules.ts";
import { renderRuleset } from "../nftables/table-plan.ts";
import { defaultDropProblem } from "../options.ts";
import { compile } from "../policy/compile.ts";
import type { CommandIo, ExitCode, RulesetArguments } from "./command-io.ts";

/**
 * Prints the table that an agent with these options would load, as nft text; loads nothing. 1 where something cannot be
 * read or is rejected: what is printed then lacks it. Connections to adopt and Kubernetes' own addresses are known to a
 * running agent only. With a prefix it prints instead what makes a firewall log the knocks of these policies.
 */
export async function rulesetCommand({ options, logPrefix }: RulesetArguments, io: CommandIo): Promise<ExitCode> {
  const snapshot = await readAllFiles(options);
  const { guards, serves: served, allowCommands, allowCritical } = options;
  const defaults = { guards, served, allowCommands, allowCritical, defaultNamespace: "default" };
  const compilation = compile(snapshot.documents, defaults);
  const lockout = defaultDropProblem(options, compilation.guarded.length > 0);
  const errors = compilation.problems.filter(({ severity }) => severity === "error");
  for (const failure of snapshot.failures) io.stderr.write(`error: ${failure}\n`);
  for (const { place, field, message } of errors)
    io.stderr.write(`error: ${place.origin}:${place.line ?? 1}: ${field}: ${message}\n`);
  if (lockout !== undefined) io.stderr.write(`error: ${lockout}\n`);
  const watch = watchFor(compilation.policies, []);
  if (logPrefix !== undefined && watch.ports.size === 0) {
    io.stderr.write("error: No policy was accepted, so there is nothing to log: name one with --config.\n");
    return 1;
  }
  io.stdout.write(
    logPrefix === undefined
      ? renderRuleset(gateSpecFor(options, compilation, []))
      : renderLogRules({ ...watch, prefix: logPrefix }),
  );
  return snapshot.failures.length > 0 || errors.length > 0 || lockout !== undefined ? 1 : 0;
}
