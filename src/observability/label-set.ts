/** Stands for every value that has no series of its own. No interface and no policy is called so. */
export const otherLabel = "other";

/** The values of one open label that have series of their own; never more than the cap. */
export class LabelSet {
  private readonly values = new Set<string>();
  private readonly cap: number;

  constructor(cap: number) {
    this.cap = cap;
  }

  /** The label for a value: itself where it is admitted, else `other`. */
  labelFor(value: string): string {
    return this.values.has(value) ? value : otherLabel;
  }

  /** Gives a value its own series where there is room; the label it has from now on. */
  admit(value: string): string {
    if (this.values.size < this.cap) this.values.add(value);
    return this.labelFor(value);
  }

  /** Admits these values only. Returns those that lost their series. */
  replace(values: readonly string[]): readonly string[] {
    const wanted = new Set(values.slice(0, this.cap));
    const gone = [...this.values].filter((value) => !wanted.has(value));
    for (const value of gone) this.values.delete(value);
    for (const value of wanted) this.values.add(value);
    return gone;
  }

  *[Symbol.iterator](): IterableIterator<string> {
    yield* this.values;
  }
}
