import { readFiles } from "../config-source/config-files.ts";
import { convertKnockdConf } from "../policy/knockd-convert.ts";
import type { CommandIo, ExitCode } from "./command-io.ts";
import { formatTable } from "./table.ts";

/** What `knockgate convert` was asked. */
export interface ConvertArguments {
  /** A knockd.conf. */
  readonly path: string;
  readonly keepMatching: boolean;
  /** A table for people instead of the policies. */
  readonly explain: boolean;
}

/** Prints a knockd.conf as KnockSequences, or what becomes of each door; 1 when the file has a fault or cannot be read. */
export async function convertCommand(
  { path, keepMatching, explain }: ConvertArguments,
  io: CommandIo,
): Promise<ExitCode> {
  const { snapshot } = await readFiles([path], "knockd-conf");
  const [document] = snapshot.documents;
  for (const failure of snapshot.failures) io.stderr.write(`error: ${failure}\n`);
  if (document === undefined || snapshot.failures.length > 0) return 1;
  const conversion = convertKnockdConf(document.text, { origin: path, keepMatching });
  if (conversion.kind === "faulty") {
    for (const { place, message } of conversion.problems)
      io.stderr.write(`error: ${place.origin}:${place.line}: ${message}\n`);
    return 1;
  }
  const { fates, yaml } = conversion;
  const rows = fates.map(({ door, became, checks }) => [
    door.name,
    became,
    checks.length === 0 ? "-" : checks.join("; "),
  ]);
  io.stdout.write(explain ? formatTable(["DOOR", "BECAME", "CHECK"], rows) : yaml);
  const count = (kind: string) => fates.filter((fate) => fate.kind === kind).length;
  io.stderr.write(
    `${fates.length} door${fates.length === 1 ? "" : "s"}: opens ${count("opens")}, closedBy ${count("closes")}, run ${count("run")}, left out ${count("left-out")}\n`,
  );
  return 0;
}
