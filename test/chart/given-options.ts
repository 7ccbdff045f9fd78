import { optionTable } from "../../src/option-table.ts";
import { allOptionKeys, readAgentOptions } from "../../src/options.ts";

/** What stands for the variables that Kubernetes puts into arguments. */
const variables = { NODE_IP: "192.0.2.7", POD_IP: "192.0.2.7" } as const;

/** Reads the arguments of an agent's container as the agent itself does; throws with every problem that it finds. */
export function readAgentArgs(args: readonly string[], podIp: string = variables.POD_IP) {
  const [command, ...flags] = args;
  if (command !== "agent") throw new Error(`the container runs ${command}`);
  const given: Record<string, string[] | true> = {};
  for (const flag of flags) {
    const [, name = "", value] = /^--([a-z-]+)(?:=(.*))?$/s.exec(flag) ?? [];
    const spec = Object.values(optionTable).find((each) => each.name === name);
    if (spec === undefined) throw new Error(`${flag}: there is no such option`);
    if ((spec.takes === "switch") !== (value === undefined)) throw new Error(`${flag}: not what --${name} takes`);
    const text = value?.replace("$(NODE_IP)", variables.NODE_IP).replace("$(POD_IP)", podIp);
    const before = given[name];
    given[name] = text === undefined ? true : [...(Array.isArray(before) ? before : []), text];
  }
  const reading = readAgentOptions(given, {});
  if (reading.kind === "refused") throw new Error(reading.problems.join("\n"));
  return reading.options;
}

/** How many options there are; those of the chart are some of them. */
export const optionNames = allOptionKeys.map((key) => optionTable[key].name);
