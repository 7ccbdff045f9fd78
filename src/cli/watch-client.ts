import { type Command, Option } from "commander";
import { parseDuration } from "../policy/duration.ts";
import { addOptions, readSocket } from "./agent-commands.ts";
import { agentSelector } from "./agent-pods.ts";
import type { KubeWatchArguments, OutputFormat, WatchArguments } from "./command-io.ts";
import { addKubeOptions, readKubeScope } from "./kube-options.ts";
import { collected, outputOption, readAddress } from "./usage-parts.ts";
import { type DoorWiring, example } from "./wiring.ts";

interface WatchFlags {
  readonly output: OutputFormat;
  readonly for?: string;
  readonly untilEof?: true;
  readonly node?: readonly string[];
  readonly selector: string;
}

/** Wires `watch`: why a knock does not open, on this host or on every node. */
export function addWatch(program: Command, { guise, wiring }: DoorWiring): void {
  const { io, finish } = wiring;
  const watch = program
    .command("watch")
    .description(
      guise === "host"
        ? 'Shows live what knocks do: how far, why not, granted. Answers "why did my knock not work"; with --kube on every node.'
        : 'Shows live what knocks of a source do on every node. Answers "why did my knock not work".',
    )
    .argument(guise === "host" ? "[source]" : "<source>", "only this address")
    .addOption(outputOption("an object for each event"))
    .option("--for <DURATION>", "end after this; default when interrupted");
  if (guise === "host") {
    watch.option("--until-eof", "end when standard input does, for who calls this from afar");
    addOptions(watch, ["socket"]);
  }
  addKubeOptions(watch, guise, "agents");
  addNodeOptions(watch, guise === "host" ? "with --kube: " : "");
  watch.addHelpText(
    "after",
    guise === "host"
      ? example("knockgate watch 192.0.2.7", "knockgate watch 192.0.2.7 --kube -n knockgate")
      : example("kubectl knock watch 192.0.2.7 -n knockgate"),
  );
  watch.action(async (text: string | undefined) => {
    const source = text === undefined ? undefined : readAddress(watch, text);
    const scope = readKubeScope(watch, guise);
    if (scope !== undefined) {
      if (source === undefined) return watch.error("error: missing required argument 'source': --kube asks for one.");
      finish(await (await wiring.commands.kubeWatch())({ source, scope, ...readKubeFlags(watch) }, io));
    } else if (guise === "host") {
      const { socket } = readSocket(watch, wiring);
      finish(await (await wiring.commands.watch())({ source, socket, ...readHostFlags(watch) }, io));
    }
  });
}

function addNodeOptions(watch: Command, note: string): void {
  watch
    .addOption(
      new Option("--node <NAME>", `${note}only the agent of this node; may be repeated`).argParser<readonly string[]>(
        collected,
      ),
    )
    .addOption(new Option("-l, --selector <LABELS>", `${note}the labels of the agents' pods`).default(agentSelector));
}

function readHostFlags(watch: Command): Pick<WatchArguments, "output" | "forMs" | "untilEof"> {
  const { output, untilEof = false, node } = watch.opts<WatchFlags>();
  if (node !== undefined) watch.error("error: --node is for the Kubernetes API: add --kube, or leave it out.");
  return { output, forMs: readFor(watch), untilEof };
}

function readKubeFlags(watch: Command): Pick<KubeWatchArguments, "output" | "forMs" | "nodes" | "selector"> {
  const { output, selector, node: nodes = [] } = watch.opts<WatchFlags>();
  return { output, selector, nodes, forMs: readFor(watch) };
}

function readFor(watch: Command): number | undefined {
  const { for: text } = watch.opts<WatchFlags>();
  if (text === undefined) return undefined;
  const micros = parseDuration(text) ?? watch.error(`error: --for: "${text}" is not a duration: write 30s or 5m.`);
  return micros / 1000;
}
