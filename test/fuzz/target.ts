/** How a mutated piece went, and what is wrong with how it went. */
export interface Outcome {
  /** For counting: `accepted`, or the first code. */
  readonly outcome: string;
  /** A defect; the seed repeats it. */
  readonly finding?: string;
}

/** What a fuzzed door is: a seed in, an outcome out. Never throws. */
export type Target = (seed: number) => Outcome | Promise<Outcome>;
