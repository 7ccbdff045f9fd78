import type { Random } from "./random.ts";

/** Something that reads what strangers wrote. */
export interface FuzzTarget {
  readonly name: string;
  /** Makes one input; the same for the same random numbers. */
  make(random: Random): Uint8Array;
  /** Reads it. Throws, or rejects, where a promise to strangers is broken. */
  run(input: Uint8Array): void | Promise<void>;
}

/** Throws when a promise does not hold. */
export function promised(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Error(`broken promise: ${promise}`);
}

const guardBytes = 64;

/** The same bytes with others around them, which a reader must not see; `intact` tells whether they are untouched. */
export function guarded(bytes: Uint8Array, guard: number): { readonly bytes: Uint8Array; intact(): boolean } {
  const all = new Uint8Array(bytes.length + 2 * guardBytes).fill(guard);
  all.set(bytes, guardBytes);
  const intact = () => {
    for (let at = 0; at < guardBytes; at++) if (all[at] !== guard || all[all.length - 1 - at] !== guard) return false;
    return true;
  };
  return { bytes: all.subarray(guardBytes, guardBytes + bytes.length), intact };
}

/** The same bytes; asking for one outside throws. */
export function fenced(bytes: Uint8Array): Uint8Array {
  return new Proxy(bytes, {
    get(target, name) {
      if (name === "length") return target.length;
      const at = Number(String(name));
      promised(
        Number.isInteger(at) && at >= 0 && at < target.length,
        `byte ${String(name)} of ${target.length} is not read`,
      );
      return target[at];
    },
  });
}
