import type { DropReason, Knock } from "../decode/knock.ts";
import type { Address, Cidr } from "../policy/address.ts";
import type { PortKey } from "../policy/port.ts";

/** What is worth capturing. Immutable; a new one is handed over whole. */
export interface Watch {
  /** Every step and decoy. Nothing else reaches the receiver. */
  readonly ports: ReadonlySet<PortKey>;
  /** Flags that every watched TCP knock must carry and must not: the intersection over all sequences; 0 and 0 where they differ. */
  readonly flags: { readonly must: number; readonly mustNot: number };
  /** Which destinations count beside this host's own addresses (`--guard-address`); `everything` in replay without `--local`. */
  readonly extraTargets: readonly Cidr[] | "everything";
}

/** Why packets were lost before they were decoded; labels of `capture_dropped_packets_total`. */
export const captureDropReasons = ["kernel", "interface", "ring_full"] as const;
export type CaptureDropReason = (typeof captureDropReasons)[number];

/** Why the capture began anew; labels of `capture_restarts_total`. */
export const restartCauses = ["killed", "hung", "crash", "link", "error", "reload"] as const;
export type RestartCause = (typeof restartCauses)[number];

/** What a capture tells; observability implements it. Counts are increments. */
export interface CaptureReport {
  /** Packets that passed the kernel's filter on an interface. */
  packets(interfaceName: string, count: number): void;
  dropped(reason: CaptureDropReason, count: number): void;
  discarded(reason: DropReason, count: number): void;
  restarted(cause: RestartCause): void;
  /**
   * Interfaces tapped now; empty when the capture is down. `waitingFor` names interfaces asked for that are not there.
   * `trouble` says why nothing is tapped where something should be, one sentence.
   */
  capturing(interfaces: readonly string[], waitingFor: readonly string[], trouble?: string): void;
  /** libpcap's version, once a capture is open. */
  library(version: string): void;
  /** One sentence for the log: a fault, or a privilege that could not be given up. */
  warned(message: string): void;
}

/**
 * Where knocks come from, in capture order. A knock handed to `receive` is valid until `receive` returns. Every packet
 * is delivered once, however many taps or children saw it.
 */
export interface PacketSource {
  /** Resolves when the first knock can be seen, or at once where there is nothing to wait for. */
  start(watch: Watch, receive: (knock: Knock) => void): Promise<void>;
  /** Changes what is watched, without a blind moment; resolves when the new watch is in force. */
  update(watch: Watch): Promise<void>;
  /** Idempotent; resolves when sockets and processes are gone. */
  close(): Promise<void>;
}

/** This host's own addresses, and which of its links are there; kept current by the link watch. */
export interface LinkState {
  readonly localAddresses: readonly Address[];
  /** Addresses on links that Kubernetes keeps for services (`kube-ipvs0`, `nodelocaldns`). */
  readonly exemptAddresses: readonly Address[];
  readonly links: readonly Link[];
}

/** One network interface. */
export interface Link {
  readonly name: string;
  readonly index: number;
  readonly up: boolean;
  readonly loopback: boolean;
  /** The kind of link as ip(8) names it: `ether`, `loopback`, `none`, `ppp`… */
  readonly hardware?: string | undefined;
  /** How often it was told to be down since the watch began: another number means that a capture on it has gone deaf. */
  readonly falls?: number | undefined;
}
