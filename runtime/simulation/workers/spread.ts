/**
 * A campaign over several processes: each is given a few seeds at a time. What comes out does not depend on how many
 * processes there are, nor on which of them was faster.
 */
import type { Clock } from '../../../protocols/ports.ts';
import { Tally, type CampaignReport } from '../campaign.ts';
import type { RunWish } from '../plans/choice.ts';
import type { Outcome } from '../simulation.ts';
import { SeedWorker } from './seed-worker.ts';

export interface SpreadWish {
  readonly wish: RunWish;
  readonly fromSeed: number;
  readonly seeds: number;
  readonly workers: number;
  readonly clock: Clock;
  /** Real ms; a seed that takes longer hangs. */
  readonly seedLimitMs: number;
  /** What the processes run, instead of seeds. */
  readonly program?: URL;
  /** Ends it early: what was done so far is reported. */
  readonly signal?: AbortSignal;
}

export interface SpreadReport extends CampaignReport {
  /** The first seed that was not run; every one before it was. */
  readonly nextSeed: number;
  /** Of the largest of the processes, ever. */
  readonly rssBytes: number;
}

/** Enough to be worth a message, few enough that all processes end together. */
const chunkSeeds = 16;

export async function spreadCampaign(
  options: SpreadWish,
  onOutcome: (outcome: Outcome, sofar: Tally) => void = () => {},
): Promise<SpreadReport> {
  const { wish, fromSeed, seeds, workers, clock, seedLimitMs, signal } = options;
  const program = options.program ?? new URL('main.ts', import.meta.url);
  const tally = new Tally();
  const done = new Set<number>();
  let rssBytes = 0;
  const noted = (outcome: Outcome, bytes: number) => {
    tally.add(outcome);
    done.add(outcome.seed);
    rssBytes = Math.max(rssBytes, bytes);
    onOutcome(outcome, tally);
  };
  const size = Math.max(1, Math.min(chunkSeeds, Math.ceil(seeds / workers / 4)));
  let next = fromSeed;
  const taken = (): number[] => {
    const chunk = Array.from({ length: Math.min(size, fromSeed + seeds - next) }, (_, index) => next + index);
    next += chunk.length;
    return chunk;
  };
  const all = Array.from(
    { length: Math.min(workers, Math.ceil(seeds / size)) },
    () => new SeedWorker({ program, wish, clock, seedLimitMs, onOutcome: noted }),
  );
  const closeAll = () => all.forEach((worker) => worker.close());
  signal?.addEventListener('abort', closeAll);
  try {
    await Promise.all(
      all.map(async (worker) => {
        while (next < fromSeed + seeds && !signal?.aborted) await worker.run(taken());
      }),
    );
  } finally {
    signal?.removeEventListener('abort', closeAll);
    closeAll();
  }
  let nextSeed = fromSeed;
  while (done.has(nextSeed)) nextSeed += 1;
  return { ...tally.report(wish.nodes), nextSeed, rssBytes };
}
