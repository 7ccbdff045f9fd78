import { systemClock } from "../clock.ts";
import { examine } from "../doctor/examination.ts";
import type { Finding } from "../doctor/finding.ts";
import { askProgram } from "../doctor/inquiry.ts";
import type { CommandIo, DoctorArguments, ExitCode } from "./command-io.ts";
import { formatTable } from "./table.ts";

/** Prints what is right and wrong with this host for an agent with these options, one line each; 1 where there is a problem. */
export async function doctorCommand({ options, output }: DoctorArguments, io: CommandIo): Promise<ExitCode> {
  const findings = await examine({ options, clock: systemClock, ask: askProgram });
  if (output === "json") io.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
  else io.stdout.write(formatTable(["VERDICT", "CHECK", "WHAT"], findings.map(cells)));
  return findings.some(({ verdict }) => verdict === "problem") ? 1 : 0;
}

function cells({ verdict, check, what, mend }: Finding): readonly string[] {
  return [verdict, check, mend === undefined ? `${what}.` : `${what}. To mend it: ${mend}.`];
}
