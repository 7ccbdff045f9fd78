import { readDoor } from "./door-reading.ts";
import type { Draft } from "./draft.ts";
import { problemFor } from "./finding.ts";
import { expandRange, formatPort, type Port, portKey } from "./port.ts";
import type { Problem } from "./problem.ts";

/**
 * Doors of a knockd.conf that open a port by a command though nothing guards it: somebody who has left the port to knockd's
 * firewall may think that Knockgate guards it now.
 */
export function unguardedDoors(drafts: readonly Draft[], guarded: readonly Port[]): readonly Problem[] {
  const keys = new Set(guarded.map(portKey));
  return drafts.flatMap(({ resource }) => {
    if (resource.door === undefined) return [];
    const open = readDoor(resource.door).opened.flatMap((range) => expandRange({ ...range, last: mostShown(range) }));
    const bare = open.filter((port) => !keys.has(portKey(port)));
    if (bare.length === 0) return [];
    return [
      problemFor(resource, { code: "opens-unguarded", path: ["spec", "run"], detail: bare.map(formatPort).join(", ") }),
    ];
  });
}

/** Ten ports of a range say enough. */
function mostShown({ first, last }: { readonly first: number; readonly last: number }): number {
  return Math.min(last, first + 9);
}
