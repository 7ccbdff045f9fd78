import { conditionsOf } from "../kubernetes/condition.ts";
import type { KubeObject } from "../kubernetes/resource.ts";

/** One agent's node, as `knockgate grants --kube -o json` prints it. */
export interface KubeNodeRow {
  readonly node: string;
  /** `True`, or why not: `Ended`. */
  readonly ready: string;
  /** Null: the agent has not said. */
  readonly mode: string | null;
  /** Open there, whoever has opened them. */
  readonly doors: number | null;
}

/** Rows by name. */
export function nodeRowsOf(objects: readonly KubeObject[]): readonly KubeNodeRow[] {
  const rows = objects.map((object) => {
    const ready = conditionsOf(object).find(({ type }) => type === "Ready");
    const { mode, grants } = (object as { readonly status?: { mode?: unknown; grants?: unknown } }).status ?? {};
    return {
      node: object.metadata.name,
      ready: ready === undefined || ready.status === "True" ? (ready?.status ?? "Unknown") : ready.reason,
      mode: typeof mode === "string" ? mode : null,
      doors: typeof grants === "number" ? grants : null,
    };
  });
  return rows.sort((one, other) => one.node.localeCompare(other.node));
}
