/** Marking in one piece lasts as long as anything is on its way, and no longer. */
import { expect, test } from 'vitest';
import { markingWhole } from '../../../runtime/config/marking.ts';

test('from the first that begins to the last that ends', () => {
  const flags: string[] = [];
  const bytesPass = markingWhole((flag) => flags.push(flag));
  const [one, other] = [bytesPass(), bytesPass()];
  expect(flags).toEqual(['--no-incremental-marking']);
  one();
  expect(flags).toHaveLength(1);
  other();
  bytesPass()();
  expect(flags.slice(1)).toEqual([
    '--incremental-marking',
    '--no-incremental-marking',
    '--incremental-marking',
  ]);
});
