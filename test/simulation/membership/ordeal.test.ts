/** Twenty seeds of a hard life: whatever happened, nothing that was held fell, and afterwards all agree, are well and quiet. */
import { expect, test } from 'vitest';
import { ordeal } from './ordeal.ts';

test.each(Array.from({ length: 20 }, (_, at) => at + 1))('seed %i', (seed) => {
  expect(ordeal(seed)).toEqual([]);
});
