/** What a campaign and its processes say to each other. */
import type { Outcome } from '../simulation.ts';
import type { RunWish } from '../plans/choice.ts';

/** Run these seeds, in this order. */
export interface Chunk {
  readonly wish: RunWish;
  readonly seeds: readonly number[];
}

export type FromWorker =
  /** All is loaded. */
  | { readonly kind: 'ready' }
  /** Of the next seed of its chunk. `rssBytes`: of the process then. */
  | { readonly kind: 'ended'; readonly outcome: Outcome; readonly rssBytes: number };
