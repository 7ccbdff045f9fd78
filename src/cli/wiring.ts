import type { AgentOptions } from "../options.ts";
import type {
  CheckArguments,
  CleanupArguments,
  CommandIo,
  ConfirmArguments,
  DoctorArguments,
  GrantsArguments,
  HuntArguments,
  KubeGrantsArguments,
  KubeRevokeArguments,
  KubeWatchArguments,
  ReplayArguments,
  RevokeArguments,
  RulesetArguments,
  WatchArguments,
} from "./command-io.ts";
import type { ConvertArguments } from "./convert.ts";
import type { KnockArguments } from "./knock-plan.ts";
import type { KnockdArguments } from "./knockd.ts";

/** A command: what it was asked and the world in, an exit code out. */
export type CommandOf<Arguments> = (args: Arguments, io: CommandIo) => Promise<number>;

/** What speaks to the Kubernetes API for a person: all that kubectl's plug-in can do. */
export interface KubeLoaders {
  kubeGrants(): Promise<CommandOf<KubeGrantsArguments>>;
  kubeRevoke(): Promise<CommandOf<KubeRevokeArguments>>;
  kubeWatch(): Promise<CommandOf<KubeWatchArguments>>;
}

/** Loads each command only when it is called, so that `knockgate knock` does not wait for the agent's code. */
export interface CommandLoaders extends KubeLoaders {
  agent(): Promise<CommandOf<AgentOptions>>;
  knock(): Promise<CommandOf<KnockArguments>>;
  knockd(): Promise<CommandOf<KnockdArguments>>;
  watch(): Promise<CommandOf<WatchArguments>>;
  check(): Promise<CommandOf<CheckArguments>>;
  ruleset(): Promise<CommandOf<RulesetArguments>>;
  convert(): Promise<CommandOf<ConvertArguments>>;
  replay(): Promise<CommandOf<ReplayArguments>>;
  hunt(): Promise<CommandOf<HuntArguments>>;
  grants(): Promise<CommandOf<GrantsArguments>>;
  revoke(): Promise<CommandOf<RevokeArguments>>;
  confirm(): Promise<CommandOf<ConfirmArguments>>;
  cleanup(): Promise<CommandOf<CleanupArguments>>;
  doctor(): Promise<CommandOf<DoctorArguments>>;
}

/** What the wiring of one command needs. */
export interface Wiring<Loaders = CommandLoaders> {
  readonly io: CommandIo;
  readonly commands: Loaders;
  /** Takes the exit code of the command that ran. */
  readonly finish: (code: number) => void;
}

/** The wiring of a command of both programs: `knockgate`, which can ask the agent of its host, and kubectl's plug-in. */
export type DoorWiring =
  | { readonly guise: "host"; readonly wiring: Wiring }
  | { readonly guise: "kubectl"; readonly wiring: Wiring<KubeLoaders> };

/** The part of a usage text that shows how it is done. */
export function example(...lines: readonly string[]): string {
  return `\n${lines.length === 1 ? "Example" : "Examples"}:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
