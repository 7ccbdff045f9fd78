/** Names longer than this are not compared: nobody mistypes that much, and the comparison is quadratic. */
const longestCompared = 40;

/** The known name that was probably meant: at most two letters away, or the same but for case; undefined where none is. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > longestCompared) return undefined;
  const far = Math.min(2, Math.ceil(name.length / 3)) + 1;
  let best: { readonly name: string | undefined; readonly distance: number } = { name: undefined, distance: far };
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < best.distance) best = { name: candidate, distance };
  }
  return best.name;
}

/** How many letters must be added, removed or changed (Levenshtein). */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1];
    for (let column = 0; column < other.length; column++) {
      const changed = (row[column] ?? 0) + (letter === other[column] ? 0 : 1);
      next.push(Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
