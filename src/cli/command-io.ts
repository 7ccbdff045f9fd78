import type { HuntOptions } from "../hunt/hunter.ts";
import type { AgentOptions } from "../options.ts";
import type { Address } from "../policy/address.ts";
import type { Port } from "../policy/port.ts";

/** What a command may touch of the world. Tests hand in one that keeps what was written. */
export interface CommandIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by SIGINT or SIGTERM, whose name is the reason; a command that waits ends in good order then. */
  readonly interrupted: AbortSignal;
  /** Aborted when standard input has ended, which is read for that by who asks. */
  readonly inputEnded: AbortSignal;
}

/** Where text for people or programs goes. A reader that went away is not an error. */
export interface TextSink {
  write(text: string): void;
  /** Whether a person is looking: colours, progress. */
  readonly isTty: boolean;
}

/** What a command ends with: 0 done, 1 refused or failed, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2;

/** A table for people, or JSON for programs. */
export type OutputFormat = "table" | "json";

/**
 * What `knockgate check` was asked; paths are files and folders, at least one. The options are those of the agent that will
 * read the files, so that check judges as that one would.
 */
export interface CheckArguments {
  readonly paths: readonly string[];
  readonly output?: OutputFormat;
  readonly guards?: readonly Port[];
  readonly serves?: readonly Port[];
  readonly allowCommands?: boolean;
  readonly allowCritical?: boolean;
}

/** What `knockgate ruleset` was asked; with a prefix for the rules that log knocks. */
export interface RulesetArguments {
  readonly options: AgentOptions;
  readonly logPrefix: string | undefined;
}

/** What `knockgate replay` was asked. */
export interface ReplayArguments {
  readonly file: string;
  readonly configs: readonly string[];
  readonly knockdConfs: readonly string[];
  /** Which destinations count as local; empty: every one. */
  readonly locals: readonly Address[];
  readonly output: OutputFormat;
}

/** What `knockgate watch` was asked; without a source everybody is shown. */
export interface WatchArguments {
  readonly source: Address | undefined;
  readonly socket: string;
  readonly output: OutputFormat;
  /** Undefined: until interrupted. */
  readonly forMs: number | undefined;
  /** Whether the end of standard input ends it too: whoever has called it from afar is gone then. */
  readonly untilEof: boolean;
}

/** Where in the Kubernetes API a person looks; each as kubectl's flag of the same name. */
export interface KubeScope {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Undefined: the context's. */
  readonly namespace: string | undefined;
  readonly allNamespaces: boolean;
}

/** What `knockgate grants` was asked. */
export interface GrantsArguments {
  readonly output: OutputFormat;
  readonly socket: string;
}

/** What `knockgate grants --kube` was asked. */
export interface KubeGrantsArguments {
  readonly output: OutputFormat;
  readonly scope: KubeScope;
}

/** What `knockgate revoke` was asked; without a sequence all that the source has open is closed. */
export interface RevokeArguments {
  readonly source: Address;
  /** `namespace/name`. */
  readonly sequence: string | undefined;
  readonly socket: string;
}

/** What `knockgate revoke --kube` was asked. */
export interface KubeRevokeArguments {
  readonly source: Address;
  /** Undefined: of whatever policy. Its namespace takes the place of the scope's. */
  readonly sequence: { readonly namespace: string; readonly name: string } | undefined;
  readonly scope: KubeScope;
}

/** What `knockgate watch --kube` was asked. */
export interface KubeWatchArguments {
  readonly source: Address;
  readonly scope: KubeScope;
  /** Labels of the agents' pods. */
  readonly selector: string;
  /** Only the agents of these; empty: all. */
  readonly nodes: readonly string[];
  readonly output: OutputFormat;
  /** Undefined: until interrupted. */
  readonly forMs: number | undefined;
}

/** What `knockgate confirm` was asked. */
export interface ConfirmArguments {
  readonly socket: string;
}

/** What `knockgate cleanup` was asked. */
export interface CleanupArguments {
  readonly stateDir: string;
  readonly socket: string;
}

/** What `knockgate doctor` was asked: how the agent would be started. */
export interface DoctorArguments {
  readonly options: AgentOptions;
  readonly output: OutputFormat;
}

/** What `knockgate hunt` was asked: a file (`-` for standard input), interfaces or sockets, one of them. */
export interface HuntArguments extends HuntOptions {
  readonly sockets: boolean;
  readonly file: string | undefined;
  readonly interfaces: readonly string[];
  readonly output: OutputFormat;
}
