import type { Random } from "./random.ts";

/** Values at which lengths and counters break. */
const edges = [0, 1, 2, 4, 5, 6, 7, 8, 16, 17, 20, 40, 44, 63, 64, 69, 96, 127, 128, 254, 255] as const;

/** Bytes that were right, changed in a few places: bits, edges, pieces left out, doubled, moved or made up, an early end. */
export function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  let changed = Uint8Array.from(bytes);
  for (let times = random.below(6); times > 0; times--) changed = changedOnce(changed, random);
  return changed;
}

function changedOnce(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length + 1);
  const length = random.below(Math.min(16, bytes.length - at) + 1);
  const piece = bytes.subarray(at, at + length);
  switch (random.below(7)) {
    case 0:
      return bytes.map((byte, index) => (index === at ? byte ^ (1 << random.below(8)) : byte));
    case 1:
      return bytes.map((byte, index) => (index === at ? random.pick(edges) : byte));
    case 2:
      return Uint8Array.from(bytes.subarray(0, at));
    case 3:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 4:
      return joined(bytes.subarray(0, at), piece, bytes.subarray(at));
    case 5:
      return joined(bytes.subarray(0, at), random.bytes(random.below(8)), bytes.subarray(at));
    default:
      return joined(piece, bytes.subarray(0, at), bytes.subarray(at + length));
  }
}

/** Pieces one behind the other. */
export function joined(...pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** A text that was right, with words of its language and of others put in, pieces left out, doubled or swapped. */
export function mutatedText(text: string, words: readonly string[], random: Random): string {
  let changed = text;
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(changed.length + 1);
    const end = at + random.below(Math.min(24, changed.length - at) + 1);
    const kind = random.below(6);
    if (kind < 2) changed = changed.slice(0, at) + random.pick(words) + changed.slice(kind === 0 ? at : end);
    else if (kind === 2) changed = changed.slice(0, at) + changed.slice(end);
    else if (kind === 3) changed = changed.slice(0, end) + changed.slice(at);
    else if (kind === 4) changed = changed.slice(0, at) + strangeText(random) + changed.slice(at);
    else changed = replacedWord(changed, words, random);
  }
  return changed;
}

/** A whole word or number replaced, so that what follows still parses. */
function replacedWord(text: string, words: readonly string[], random: Random): string {
  const found = [...text.matchAll(/[\w./:-]+/g)];
  if (found.length === 0) return text;
  const word = random.pick(found);
  return text.slice(0, word.index) + random.pick(words).trim() + text.slice(word.index + word[0].length);
}

/** A few characters from everywhere: control characters, halves of pairs, letters that change their length in another case. */
export function strangeText(random: Random): string {
  const kinds = [0x20, 0x80, 0x800, 0xd800, 0xffff] as const;
  return Array.from({ length: 1 + random.below(6) }, () =>
    String.fromCharCode(random.below(random.pick(kinds) + 1)),
  ).join("");
}
