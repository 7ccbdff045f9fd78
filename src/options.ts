import { type OptionKey, type OptionSpec, optionTable, variableOf } from "./option-table.ts";
import { isCritical } from "./policy/conflicts.ts";
import { formatPort, type Port, portKey } from "./policy/port.ts";

type ValueOf<Spec> =
  Spec extends OptionSpec<infer Value, "many">
    ? readonly (Value extends readonly (infer Item)[] ? Item : Value)[]
    : Spec extends OptionSpec<infer Value>
      ? Value
      : never;

/** What an agent was told, complete and checked; frozen. The fields are the rows of the table of options. */
export type AgentOptions = { readonly [Key in OptionKey]: ValueOf<(typeof optionTable)[Key]> };

/** What stood on the command line, by option name: texts for options that take one, `true` for switches. */
export type GivenOptions = Readonly<Record<string, readonly string[] | true | undefined>>;

export type Environment = Readonly<Record<string, string | undefined>>;

/** All options, or every problem, one sentence each. */
export type OptionsReading<Options> =
  | { readonly kind: "read"; readonly options: Options }
  | { readonly kind: "refused"; readonly problems: readonly string[] };

/** Every key of the table. */
export const allOptionKeys = Object.keys(optionTable) as readonly OptionKey[];

/** Reads the options of an agent: the command line wins over the environment, and that over the defaults. Reports all problems at once. */
export function readAgentOptions(given: GivenOptions, env: Environment): OptionsReading<AgentOptions> {
  const reading = readOptions(allOptionKeys, given, env);
  if (reading.kind === "refused") return reading;
  const problems = contradictions(reading.options);
  return problems.length > 0 ? { kind: "refused", problems } : reading;
}

/** Reads some of the options, for commands that need no more. */
export function readOptions<Key extends OptionKey>(
  keys: readonly Key[],
  given: GivenOptions,
  env: Environment,
): OptionsReading<Pick<AgentOptions, Key>> {
  const problems: string[] = [];
  const entries = keys.map((key) => [key, readOption(optionTable[key], given, env, problems)] as const);
  if (problems.length > 0) return { kind: "refused", problems };
  return { kind: "read", options: Object.freeze(Object.fromEntries(entries)) as unknown as Pick<AgentOptions, Key> };
}

/** One option's value; what is wrong is added to the problems and has no value. */
function readOption(spec: OptionSpec, given: GivenOptions, env: Environment, problems: string[]): unknown {
  const { texts, origin } = textsOf(spec, given, env);
  const values = texts.flatMap((text) => {
    const value = spec.value.read(text);
    if (value === undefined) problems.push(`${origin}: ${JSON.stringify(text)} is not ${spec.value.expected}.`);
    return value === undefined ? [] : [value];
  });
  if (spec.takes === "many") return Object.freeze(withoutRepeats(values.flat()));
  const last = values.at(-1);
  return spec.takes === "switch" ? (last ?? false) : last;
}

function withoutRepeats(values: readonly unknown[]): unknown[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}

/** The texts to read and who gave them, for messages. */
function textsOf(spec: OptionSpec, given: GivenOptions, env: Environment) {
  const fromCommandLine = given[spec.name];
  if (fromCommandLine === true) return { texts: ["true"], origin: `--${spec.name}` };
  if (fromCommandLine !== undefined) return { texts: fromCommandLine, origin: `--${spec.name}` };
  const variable = variableOf(spec);
  const text = env[variable];
  if (text !== undefined && text !== "")
    return { texts: spec.takes === "many" ? listItems(text) : [text], origin: variable };
  return { texts: spec.default === undefined ? [] : [spec.default], origin: `--${spec.name}` };
}

function listItems(text: string): string[] {
  return text.split(",").map((item) => item.trim());
}

/** What does not go together, one sentence each. */
function contradictions(options: AgentOptions): string[] {
  const served = new Set(options.serves.map(portKey));
  const both = options.guards.filter((port) => served.has(portKey(port)));
  const critical = options.allowCritical ? [] : options.guards.filter(isCritical);
  const problems = [
    ...sentence(both, (ports) => `${ports} is in both --guard and --serve: keep one.`),
    ...sentence(
      critical,
      (ports) => `--guard ${ports} may cut this node off its cluster: add --allow-critical to do it all the same.`,
    ),
  ];
  if (options.interfaces.includes("any") && new Set(options.interfaces).size > 1)
    problems.push("--interface any taps every interface: leave the others out.");
  const hasPolicies = options.configs.length + options.knockdConfs.length > 0 || readsApi(options);
  if (!hasPolicies && options.guards.length === 0 && !options.defaultDrop)
    problems.push("There is nothing to guard: name a policy file or folder with --config, or pass --crd.");
  const locked = hasPolicies ? undefined : defaultDropProblem(options, options.guards.length > 0);
  return [...problems, ...namespaceProblems(options), ...(locked === undefined ? [] : [locked])];
}

/** Whether the agent needs the Kubernetes API at all. */
export function readsApi({ crd, configMaps }: Pick<AgentOptions, "crd" | "configMaps">): boolean {
  return crd || configMaps.length > 0;
}

function namespaceProblems({ crd, namespaces, allNamespaces }: AgentOptions): string[] {
  if (!crd && (namespaces.length > 0 || allNamespaces))
    return ["--namespace and --all-namespaces say whose objects --crd reads: add --crd, or leave them out."];
  if (allNamespaces && namespaces.length > 0) return ["--all-namespaces reads every namespace: leave --namespace out."];
  return [];
}

function sentence(ports: readonly Port[], say: (ports: string) => string): string[] {
  return ports.length === 0 ? [] : [say([...new Set(ports.map(formatPort))].join(", "))];
}

/**
 * Why `--default-drop` cannot be obeyed, or undefined: with nothing served, trusted or guarded nobody could ever get in. Asked
 * again when the policies are known, for a policy's ports are guarded too.
 */
export function defaultDropProblem(
  options: Pick<AgentOptions, "defaultDrop" | "serves" | "trusts">,
  somethingIsGuarded: boolean,
): string | undefined {
  if (!options.defaultDrop || somethingIsGuarded || options.serves.length > 0 || options.trusts.length > 0)
    return undefined;
  return "--default-drop would lock everybody out: add --serve, --trust or a policy that opens a port.";
}
