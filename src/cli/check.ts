import { readFiles } from "../config-source/config-files.ts";
import { compile } from "../policy/compile.ts";
import type { Problem } from "../policy/problem.ts";
import type { CheckArguments, CommandIo, ExitCode } from "./command-io.ts";
import { formatTable } from "./table.ts";

/** Prints every problem of the policies in files and folders: 0 when all are accepted, 1 when one is not or cannot be read. */
export async function checkCommand(args: CheckArguments, io: CommandIo): Promise<ExitCode> {
  if (args.paths.length === 0) {
    io.stderr.write("error: check needs a file or a folder\n");
    return 2;
  }
  const { snapshot } = await readFiles(args.paths);
  const compilation = compile(snapshot.documents, {
    guards: args.guards ?? [],
    served: args.serves ?? [],
    allowCommands: args.allowCommands ?? false,
    allowCritical: args.allowCritical ?? false,
    defaultNamespace: "default",
  });
  const { policies, problems, rejected } = compilation;
  for (const failure of snapshot.failures) io.stderr.write(`error: ${failure}\n`);
  if (args.output === "json") io.stdout.write(`${JSON.stringify(problems.map(jsonRow), null, 2)}\n`);
  else if (problems.length > 0) io.stdout.write(formatTable(head, problems.map(cells)));
  const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const policyCount = policies.length === 1 ? "1 policy" : `${policies.length} policies`;
  const warnings = problems.filter((problem) => problem.severity === "warning").length;
  io.stderr.write(
    `${count(snapshot.documents.length, "file")}: ${policyCount} accepted, ${rejected} rejected, ${count(problems.length - warnings, "error")}, ${count(warnings, "warning")}\n`,
  );
  return snapshot.failures.length > 0 || problems.length > warnings ? 1 : 0;
}

const head = ["PLACE", "SEVERITY", "CODE", "POLICY", "FIELD", "MESSAGE"];

function cells({ place, severity, code, policy, field, message }: Problem): readonly string[] {
  return [placeText(place), severity, code, policy ?? "-", field === "" ? "-" : field, message];
}

/** `file:line:column`, which editors and terminals make a link of. */
function placeText({ origin, line, column }: Problem["place"]): string {
  return [origin, line, column].filter((part) => part !== undefined).join(":");
}

function jsonRow({ place, severity, code, policy, field, message }: Problem) {
  return { file: place.origin, line: place.line, column: place.column, severity, code, policy, field, message };
}
