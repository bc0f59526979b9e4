/** What follows the end of a run, as a table; and the backoff. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterExit, backoffMs, policyOf, type RunHistory } from '../../../protocols/containers/restart.ts';
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

  it.each([
    [{ delayMs: 5_000 }, [5_000, 10_000, 20_000, 30_000, 30_000]],
    [{ delayMs: 0 }, [0, 1_000, 2_000, 4_000, 8_000]],
    [{ delayMs: 90_000 }, [90_000, 90_000, 90_000, 90_000, 90_000]],
    [{}, [500, 1_000, 2_000, 4_000, 8_000]],
  ])('%o waits %o: its own delay first, and then longer', (more, expected) => {
    let history = none;
    const waits = expected.map(() => {
      const next = afterExit({ condition: 'always', ...more }, history, 1, 10);
      if (next.next !== 'restart') throw new Error(next.next);
      ({ history } = next);
      return next.delayMs;
    });
    expect(waits).toEqual(expected);
  });

  it('a run as long as the window has succeeded: attempts count anew', () => {
    const policy = { condition: 'on-failure', maxAttempts: 2, windowMs: 3_000 } as const;
    const spent: RunHistory = { restarts: 2, failuresInARow: 2 };
    expect(afterExit(policy, spent, 1, 2_999).next).toBe('failed');
    expect(afterExit(policy, spent, 1, 3_000)).toMatchObject({ history: { restarts: 1, failuresInARow: 1 } });
    expect(afterExit({ ...policy, windowMs: 0 }, spent, 1, 99_000).next).toBe('failed');
  });

  it.each([
    ['replicated-job', 'always', 'on-failure'],
    ['global-job', 'none', 'none'],
    ['replicated', 'always', 'always'],
    [undefined, 'on-failure', 'on-failure'],
  ] as const)('%s with %s is restarted %s', (mode, condition, expected) => {
    const spec = { restart: { condition, maxAttempts: 4 }, ...(mode ? { mode } : {}) };
    expect(policyOf(spec)).toEqual({ condition: expected, maxAttempts: 4 });
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
