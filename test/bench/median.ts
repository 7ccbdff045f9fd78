/** The middle of some numbers in whatever order, of an even count the upper one; NaN of none. */
export function median(numbers: readonly number[]): number {
  return [...numbers].sort((one, other) => one - other)[numbers.length >> 1] ?? Number.NaN;
}
