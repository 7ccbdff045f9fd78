import { drawDecoys } from "../policy/decoys.ts";
import type { PortKey } from "../policy/port.ts";
import { scannerPorts } from "../policy/scanner-ports.ts";

/** Which TCP ports a scan goes through, each once. */
export type ScannedPorts = "all" | "usual";

/** Over how many sequences an average is taken. */
export const sampleSize = 50;

/**
 * The odds that one pass over `ports`, in random order and within the window, opens a sequence of different TCP ports.
 *
 * Ports that the sequence does not watch change nothing, so only the order of those it watches matters: `m` ports, `n` of
 * them steps. Each comes once. The progress ends at every watched port but the one expected; so the door opens if, and only
 * if, the steps stand next to each other in their order. Of the m! orders (m - n + 1)! have the steps as one block, so
 * the odds are (m - n + 1)! / m! = 1 / (m (m - 1) … (m - n + 2)). They are 0 where the scan leaves a step out.
 */
export function scanOdds(steps: readonly PortKey[], decoys: readonly PortKey[], ports: ScannedPorts): number {
  const scanned = ports === "usual" ? new Set(scannerPorts.tcp) : undefined;
  const reaches = (key: PortKey) => scanned === undefined || scanned.has(key);
  if (!steps.every(reaches)) return 0;
  const watched = steps.length + decoys.filter(reaches).length;
  let odds = 1;
  for (let factor = watched - steps.length + 2; factor <= watched; factor++) odds /= factor;
  return odds;
}

/** Sequences of different steps, all among the usual ports, which is the worst place for them; the same every time. */
export function sampleSequences(steps: number, count: number): readonly (readonly PortKey[])[] {
  const ports = scannerPorts.tcp;
  let state = 1;
  const draw = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // the generator of Numerical Recipes; a spread is all that is needed
    return ports[Math.floor((state / 2 ** 32) * ports.length)] ?? 0;
  };
  return Array.from({ length: count }, () => {
    const sequence = new Set<PortKey>();
    while (sequence.size < steps) sequence.add(draw());
    return [...sequence];
  });
}

/** The odds of a pass over all and over the usual ports, averaged over sample sequences with so many decoys. */
export function averageOdds(steps: number, decoys: number): Readonly<Record<ScannedPorts, number>> {
  const sequences = sampleSequences(steps, sampleSize);
  const sum = { all: 0, usual: 0 };
  for (const sequence of sequences) {
    const drawn = drawDecoys(sequence, decoys, () => false);
    sum.all += scanOdds(sequence, drawn, "all");
    sum.usual += scanOdds(sequence, drawn, "usual");
  }
  return { all: sum.all / sampleSize, usual: sum.usual / sampleSize };
}
