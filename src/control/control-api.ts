import type { Address } from "../policy/address.ts";

/** One open port of one source, as `knockgate grants -o json` prints it. */
export interface GrantRow {
  readonly source: string;
  /** `22/tcp`. */
  readonly port: string;
  /** `namespace/name` of the policies that hold it open; an id where the name is not known. None: it was opened by hand. */
  readonly sequences: readonly string[];
  /** Seconds until it closes; null: until closed. */
  readonly leftSeconds: number | null;
}

/** What `POST /revoke` takes. */
export interface RevokeRequest {
  readonly source: string;
  readonly sequence?: string;
}

/** What `POST /confirm` answers: what was, before it was confirmed. */
export interface ConfirmAnswer {
  readonly before: "not-asked" | "asked" | "confirmed" | "lapsed";
}

/** Somebody is shown events. */
export interface Watching {
  /** What is shown before them: what is watched. */
  readonly first: object;
  readonly stop: () => void;
}

/** What the agent does for whoever may open its socket. */
export interface ControlTarget {
  grants(): Promise<readonly GrantRow[]>;
  /** Resolves to the number of ports concerned. */
  revoke(source: Address, sequence: string | undefined): Promise<number>;
  /** Keeps enforcing (`--confirm-within`). Resolves when the kernel enforces; rejects with a sentence when it does not. */
  confirm(): Promise<ConfirmAnswer>;
  /** Calls `show` with one object for each later event, until it is stopped; undefined: too many watch. */
  watch(source: Address | undefined, show: (event: object) => void): Watching | undefined;
}
