/** When certificates are renewed, and how failed renewals are spaced. */
import { expect, test } from 'vitest';
import { renewalDelay, renewalRetry } from '../../../protocols/cluster/terms.ts';
import { limits } from '../../../protocols/limits.ts';

test('due at two thirds of the term, and at once when that is past', () => {
  expect(renewalDelay([0, 900], 0)).toBe(600);
  expect(renewalDelay([0, 900], 599)).toBe(1);
  expect(renewalDelay([0, 900], 5_000)).toBe(0);
});

test('tries double up to a bound, and chance spreads them over half of it', () => {
  expect(renewalRetry(0, 0)).toBe(limits.renewalRetryMs / 2);
  expect(renewalRetry(1, 1)).toBe(2 * limits.renewalRetryMs);
  for (const failures of [20, 1_000, Number.MAX_SAFE_INTEGER])
    expect(renewalRetry(failures, 1)).toBe(limits.renewalRetryMostMs);
});
