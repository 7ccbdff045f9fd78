import type { Address } from "../policy/address.ts";
import type { Watch } from "./packet-source.ts";
import { WatchCheck } from "./watch-check.ts";

/** What user space checks, as it goes over the channel. `version` comes back in the child's `alive` records. */
export interface CheckMessage {
  readonly version: number;
  readonly ports: readonly number[];
  readonly flags: Watch["flags"];
  readonly extraTargets: readonly { readonly address: readonly number[]; readonly prefixBits: number }[] | "everything";
  readonly local: readonly (readonly number[])[];
}

/** One interface for the child to open. */
export interface TapMessage {
  readonly name: string;
  readonly filter: string;
}

/** What the agent tells the child. `answer`: give a sign of life; `finish`: hand over what was captured so far, then end. */
export type AgentMessage =
  | { readonly kind: "open"; readonly taps: readonly TapMessage[]; readonly check: CheckMessage }
  | { readonly kind: "check"; readonly check: CheckMessage }
  | { readonly kind: "answer" }
  | { readonly kind: "finish" };

/** What the child tells the agent beside its records. `kept` says which privilege could not be given up. */
export type ChildMessage =
  | {
      readonly kind: "ready";
      readonly opened: readonly string[];
      readonly failed: readonly string[];
      readonly kept: string | undefined;
      /** libpcap's version, as it says of itself. */
      readonly libpcap?: string | undefined;
    }
  | { readonly kind: "fault"; readonly cause: "link" | "error"; readonly message: string };

/** A watch and the local addresses as a message. */
export function checkMessage(version: number, watch: Watch, local: readonly Address[]): CheckMessage {
  const extra = watch.extraTargets;
  return {
    version,
    ports: [...watch.ports],
    flags: watch.flags,
    extraTargets:
      extra === "everything" ? extra : extra.map(({ address, prefixBits }) => ({ address: [...address], prefixBits })),
    local: local.map((address) => [...address]),
  };
}

/** The check of a message. */
export function checkOf(message: CheckMessage): WatchCheck {
  const extra = message.extraTargets;
  const extraTargets =
    extra === "everything"
      ? extra
      : extra.map(({ address, prefixBits }) => ({ address: Uint32Array.from(address), prefixBits }));
  const watch: Watch = { ports: new Set(message.ports), flags: message.flags, extraTargets };
  return new WatchCheck(
    watch,
    message.local.map((address) => Uint32Array.from(address)),
  );
}

/** Texts of a child are cut: it reads packets of strangers, and may have been taken over by one. */
const mostTextLength = 500;

/** Reads a message of the child, which is not trusted; undefined for anything else. */
export function parseChildMessage(message: unknown): ChildMessage | undefined {
  const { kind, opened, failed, kept, libpcap, cause, message: text } = Object(message) as Record<string, unknown>;
  if (kind === "ready" && isTexts(opened) && isTexts(failed))
    return {
      kind,
      opened: opened.map(cut),
      failed: failed.map(cut),
      kept: typeof kept === "string" ? cut(kept) : undefined,
      libpcap: typeof libpcap === "string" ? cut(libpcap) : undefined,
    };
  if (kind === "fault" && (cause === "link" || cause === "error") && typeof text === "string")
    return { kind, cause, message: cut(text) };
  return undefined;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= 4096 && value.every((text) => typeof text === "string");
}

/** At most a few lines of printable text. */
export function cut(text: string): string {
  return text
    .slice(0, mostTextLength)
    .replace(/[^\x20-\x7e]+/g, " ")
    .trim();
}
