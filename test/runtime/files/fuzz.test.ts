/** A few of the archives of `npm run fuzz -- archives`, in every test run. */
import { afterAll, expect, test } from 'vitest';
import { fuzzArchives } from '../../fuzz/archives/target.ts';
import { endTargets } from '../../fuzz/target.ts';

afterAll(endTargets);

test('whatever is brought is read or refused with a code, within bounds, and nothing outside is touched', async () => {
  const seen = new Set<string>();
  // 26: a name no file can have; 48: a hard link to a folder. Both were told as defects of ours.
  for (let seed = 1; seed <= 60; seed++) {
    const { outcome, finding } = await fuzzArchives(seed);
    expect(finding, `npm run fuzz -- archives --seed ${seed} --runs 1`).toBeUndefined();
    seen.add(outcome);
  }
  expect([...seen]).toEqual(
    expect.arrayContaining([
      'files: written',
      'files: HM-FILE-ARCHIVE',
      'a packed blob of zeros: HM-IMAGE-ARCHIVE',
      'many documents: HM-IMAGE-ARCHIVE',
    ]),
  );
}, 60_000);
