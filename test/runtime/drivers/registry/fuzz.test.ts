/** A few mutated answers of registries and archives; `npm run fuzz -- registry` does many. */
import { afterAll, expect, test } from 'vitest';
import { fuzzRegistry } from '../../../fuzz/registry/target.ts';
import { endTargets } from '../../../fuzz/target.ts';

afterAll(endTargets);

test('whatever registries and archives say is read, or refused with a code', async () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 3_000; seed++) {
    const { outcome, finding } = await fuzzRegistry(seed);
    expect(finding, `npm run fuzz -- registry --seed ${seed} --runs 1`).toBeUndefined();
    seen.add(outcome);
  }
  expect([...seen]).toEqual(
    expect.arrayContaining([
      'manifest',
      'index',
      'document refused',
      'archive read',
      'archive refused',
      'header token',
    ]),
  );
}, 60_000);
