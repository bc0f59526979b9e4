/** What a fuzzed door is: a seed in; how it went, and what is wrong with how it went, out. Never throws. */
export type Target = (seed: number) => {
  /** For counting: `accepted`, or the first code. */
  readonly outcome: string;
  /** A defect; the seed repeats it. */
  readonly finding?: string;
};
