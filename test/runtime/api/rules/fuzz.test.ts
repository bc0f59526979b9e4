/** A few of the mutated requests of `npm run fuzz -- api`, in every test run. */
import { afterAll, expect, test } from 'vitest';
import { fuzzApi } from '../../../fuzz/api/target.ts';
import { endTargets } from '../../../fuzz/target.ts';

afterAll(endTargets);

// It was thrown at nobody, which ends a daemon: an upload that breaks off before anybody reads it.
test('an upload that breaks off before it is read is nobody’s loose end', async () => {
  expect((await fuzzApi(1_554_060)).finding).toBeUndefined();
  expect((await fuzzApi(1_554_061)).finding).toBeUndefined();
});

test('each is answered, a refusal with a code, and nothing crashes', async () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 300; seed++) {
    const { outcome, finding } = await fuzzApi(seed);
    expect([seed, finding]).toEqual([seed, undefined]);
    outcomes.add(outcome);
  }
  // Neither all accepted nor all stopped at the first door.
  for (const outcome of ['200', '101', 'HM-API-REQUEST', 'HM-API-ROUTE']) expect(outcomes).toContain(outcome);
}, 60_000);
