import type { Command } from "commander";
import { addOptions, readSocket } from "./agent-commands.ts";
import type { KubeRevokeArguments, OutputFormat } from "./command-io.ts";
import { addKubeOptions, readKubeScope } from "./kube-options.ts";
import { outputOption, readAddress } from "./usage-parts.ts";
import { type DoorWiring, example } from "./wiring.ts";

/** Wires `grants`: what is open, on this host or as the Kubernetes API knows it. */
export function addGrants(program: Command, { guise, wiring }: DoorWiring): void {
  const { io, finish } = wiring;
  const grants = program
    .command("grants")
    .description(
      guise === "host"
        ? "Lists what is open: from the agent, or from the kernel when none runs; with --kube in a whole cluster."
        : "Lists the KnockGrants, and how many doors each node has open.",
    );
  grants.addOption(outputOption("for programs"));
  if (guise === "host") addOptions(grants, ["socket"]);
  addKubeOptions(grants, guise, "KnockGrants");
  grants.addHelpText(
    "after",
    guise === "host"
      ? example("knockgate grants -o json", "knockgate grants --kube --all-namespaces")
      : example("kubectl knock grants -A"),
  );
  grants.action(async () => {
    const { output } = grants.opts<{ output: OutputFormat }>();
    const scope = readKubeScope(grants, guise);
    if (scope !== undefined) finish(await (await wiring.commands.kubeGrants())({ output, scope }, io));
    else if (guise === "host") {
      const { socket } = readSocket(grants, wiring);
      finish(await (await wiring.commands.grants())({ output, socket }, io));
    }
  });
}

/** Wires `revoke`: closes what a source has open, on this host or on every node. */
export function addRevoke(program: Command, { guise, wiring }: DoorWiring): void {
  const { io, finish } = wiring;
  const revoke = program
    .command("revoke")
    .description(
      guise === "host"
        ? "Closes what a source has open; with --kube by deleting its KnockGrants, so that every node closes."
        : "Deletes the KnockGrants of a source, so that every node closes.",
    )
    .argument("<source>", "an address")
    .option("--sequence <NAME>", "only what this sequence opened: namespace/name");
  if (guise === "host") addOptions(revoke, ["socket"]);
  addKubeOptions(revoke, guise, "KnockGrants");
  revoke.addHelpText(
    "after",
    guise === "host"
      ? example("knockgate revoke 192.0.2.7", "knockgate revoke 192.0.2.7 --kube --sequence bastion/ssh")
      : example("kubectl knock revoke 192.0.2.7", "kubectl knock revoke 192.0.2.7 --sequence bastion/ssh"),
  );
  revoke.action(async (text: string) => {
    const source = readAddress(revoke, text);
    const { sequence } = revoke.opts<{ sequence?: string }>();
    const scope = readKubeScope(revoke, guise);
    if (scope !== undefined) {
      const args = { source, sequence: readSequence(revoke, sequence), scope };
      finish(await (await wiring.commands.kubeRevoke())(args, io));
    } else if (guise === "host") {
      const { socket } = readSocket(revoke, wiring);
      finish(await (await wiring.commands.revoke())({ source, sequence, socket }, io));
    }
  });
}

/** An agent takes whatever name it knows; to the API it has to be said in which namespace it lies. */
function readSequence(command: Command, text: string | undefined): KubeRevokeArguments["sequence"] {
  if (text === undefined) return undefined;
  const { namespace: other, allNamespaces } = command.opts<{ namespace?: string; allNamespaces?: true }>();
  const [, namespace, name] = /^([^/]+)\/([^/]+)$/.exec(text) ?? [];
  if (namespace === undefined || name === undefined)
    return command.error(`error: --sequence: ${JSON.stringify(text)} is not namespace/name.`);
  if (allNamespaces === true || (other !== undefined && other !== namespace))
    return command.error("error: --sequence names its namespace itself: leave --namespace and --all-namespaces out.");
  return { namespace, name };
}
