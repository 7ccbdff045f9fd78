import { Command } from "commander";
import type { CommandIo } from "./command-io.ts";
import { addGrants, addRevoke } from "./door-clients.ts";
import { endOf, prepare } from "./program-frame.ts";
import { programVersion } from "./program-version.ts";
import { addWatch } from "./watch-client.ts";
import { type DoorWiring, example, type KubeLoaders, type Wiring } from "./wiring.ts";

/** Runs kubectl's plug-in with these arguments and resolves to its exit code; every error ends as one sentence on stderr. */
export async function runPlugin(argv: readonly string[], io: CommandIo, commands: KubeLoaders): Promise<number> {
  let code = 0;
  const plugin = buildPlugin({
    io,
    commands,
    finish: (result) => {
      code = result;
    },
  });
  return (await endOf(plugin, argv, io)) ?? code;
}

/**
 * What `kubectl knock` can do: the part of `knockgate` that asks the Kubernetes API and needs no host of its own. kubectl finds
 * it by its name, `kubectl-knock`, on the PATH, and hands its arguments over.
 */
export function buildPlugin(wiring: Wiring<KubeLoaders>): Command {
  const plugin = prepare(new Command("kubectl knock"), wiring.io, `kubectl-knock ${programVersion()}`)
    .description("Shows and closes the doors that Knockgate has opened in a cluster.")
    .showHelpAfterError("kubectl knock can do grants, revoke and watch; see kubectl knock -h.")
    .addHelpText(
      "after",
      example(
        "kubectl knock grants -A",
        "kubectl knock revoke 192.0.2.7",
        "kubectl knock watch 192.0.2.7 -n knockgate",
      ),
    );
  const door: DoorWiring = { guise: "kubectl", wiring };
  addGrants(plugin, door);
  addRevoke(plugin, door);
  addWatch(plugin, door);
  for (const command of plugin.commands) command.showHelpAfterError(`See kubectl knock ${command.name()} -h.`);
  return plugin;
}
