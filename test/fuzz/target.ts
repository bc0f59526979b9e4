/** What the targets share: how a piece went, and what they open for all of their pieces. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How a mutated piece went, and what is wrong with how it went. */
export interface Outcome {
  /** For counting: `accepted`, or the first code. */
  readonly outcome: string;
  /** A defect; the seed repeats it. */
  readonly finding?: string;
}

/** What a fuzzed door is: a seed in, an outcome out. Never throws. */
export type Target = (seed: number) => Outcome | Promise<Outcome>;

const closers: (() => Promise<unknown>)[] = [];

/** What a door opened for its pieces, ended by `endTargets`: a worker of Vitest fires no event at its end. */
export function atEnd(close: () => Promise<unknown>): void {
  closers.push(close);
}

export async function endTargets(): Promise<void> {
  for (const close of closers.splice(0)) await close();
}

/** A folder below the machine's for such files, gone with `endTargets`. */
export async function fuzzFolder(name: string): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), `hm-fuzz-${name}-`));
  atEnd(() => rm(made, { recursive: true, force: true }));
  return made;
}
