/** What follows the end of a run, as a table; and the backoff. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterExit, backoffMs, type RunHistory } from '../../../protocols/containers/restart.ts';
import { limits } from '../../../protocols/limits.ts';

const none: RunHistory = { restarts: 0, failuresInARow: 0 };

describe('afterExit', () => {
  it.each([
    ['none', undefined, 0, none, 'completed'],
    ['none', undefined, 1, none, 'failed policy'],
    ['none', undefined, undefined, none, 'failed policy'],
    ['on-failure', undefined, 0, none, 'completed'],
    ['on-failure', undefined, 137, none, 'restart 500'],
    ['on-failure', undefined, undefined, none, 'restart 500'],
    ['on-failure', 2, 1, { restarts: 1, failuresInARow: 1 }, 'restart 1000'],
    ['on-failure', 2, 1, { restarts: 2, failuresInARow: 2 }, 'failed budget'],
    ['on-failure', 0, 1, none, 'failed budget'],
    ['on-failure', 2, 0, { restarts: 2, failuresInARow: 2 }, 'completed'],
    ['always', undefined, 0, none, 'restart 500'],
    ['always', 1, 0, { restarts: 1, failuresInARow: 1 }, 'failed budget'],
    ['always', undefined, 1, { restarts: 9, failuresInARow: 9 }, 'restart 30000'],
  ] as const)('%s (at most %s), code %s after %o: %s', (condition, maxAttempts, code, history, expected) => {
    const policy = { condition, ...(maxAttempts === undefined ? {} : { maxAttempts }) };
    const next = afterExit(policy, history, code, 1_000);
    const text =
      next.next === 'restart'
        ? `restart ${next.delayMs}`
        : next.next === 'failed'
          ? `failed ${next.because}`
          : next.next;
    expect(text).toBe(expected);
  });

  it('a run that lasted forgives the failures before it, not the budget', () => {
    const next = afterExit(
      { condition: 'always' },
      { restarts: 7, failuresInARow: 7 },
      1,
      limits.backoffResetMs,
    );
    expect(next).toEqual({
      next: 'restart',
      delayMs: limits.backoffMinMs,
      history: { restarts: 8, failuresInARow: 1 },
    });
  });

  it('a budget of n allows n restarts and not one more', () => {
    fc.assert(
      fc.property(
        fc.nat(30),
        fc.array(fc.nat(200_000), { minLength: 40, maxLength: 40 }),
        (maxAttempts, lives) => {
          let history = none;
          let restarts = 0;
          for (const lived of lives) {
            const next = afterExit({ condition: 'on-failure', maxAttempts }, history, 1, lived);
            if (next.next !== 'restart') break;
            ({ history } = next);
            restarts += 1;
          }
          expect(restarts).toBe(maxAttempts);
        },
      ),
    );
  });
});

it('doubles from first to last and stays there', () => {
  expect([0, 1, 2, 3, 6, 7, 8, 1_000_000].map(backoffMs)).toEqual([
    500, 500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000,
  ]);
});
