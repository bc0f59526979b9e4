/** Runs that once failed: each showed a defect that is mended, and none comes back. */
import { expect, test } from 'vitest';
import { readCorpus } from '../../runtime/simulation/plans/corpus.ts';
import { simulate } from '../../runtime/simulation/simulation.ts';

const corpus = await readCorpus();

test.each(corpus)('$name: $found', async ({ seed, plan }) => {
  expect((await simulate(seed, plan)).violation).toBeUndefined();
});
