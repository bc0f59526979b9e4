/** A few of the mutated Compose files of `npm run fuzz -- compose`, in every test run; and the seeds that once found something. */
import { expect, test } from 'vitest';
import { fuzzCompose } from '../../fuzz/compose/target.ts';

const seeds = Array.from({ length: 500 }, (_, at) => at + 1);

/** A message without a bound, a file that was reset whole, more words or a longer path than the API takes. */
const found = [636, 1_639, 5_525, 2_076_280, 2_207_288, 2_269_872];

test('each is accepted or refused with a code, and nothing throws', () => {
  const outcomes = new Set<string>();
  for (const seed of [...seeds, ...found]) {
    const { outcome, finding } = fuzzCompose(seed);
    expect([seed, finding]).toEqual([seed, undefined]);
    outcomes.add(outcome);
  }
  // Neither all accepted nor all stopped at the door of the parser.
  for (const outcome of ['accepted', 'HM-COMPOSE-TYPE', 'HM-COMPOSE-KEY', 'HM-COMPOSE-SYNTAX'])
    expect(outcomes).toContain(outcome);
});
