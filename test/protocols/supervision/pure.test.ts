/** The pure parts of supervision: windows, delays, and a table that shares what it does not change. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { restartDelayMs } from '../../../protocols/supervision/backoff.ts';
import { isTooMany, recordRestart } from '../../../protocols/supervision/intensity.ts';
import { isRestarted, siblingsOf } from '../../../protocols/supervision/strategy.ts';
import {
  emptyTable,
  tableDelete,
  tableEntries,
  tableGet,
  tableSet,
  type Table,
} from '../../../protocols/supervision/table.ts';

describe('restart window', () => {
  it('says too many exactly when more than `restarts` fall into one period', () => {
    const gaps = fc.array(fc.nat(40), { maxLength: 60 });
    fc.assert(
      fc.property(gaps, fc.nat(5), fc.integer({ min: 1, max: 100 }), (steps, restarts, periodMs) => {
        const intensity = { restarts, periodMs };
        const borne: number[] = [];
        let window: readonly number[] = [];
        let at = 0;
        for (const gap of steps) {
          at += gap;
          const recent = borne.filter((time) => at - time <= periodMs).length;
          expect(isTooMany(window, at, intensity)).toBe(recent + 1 > restarts);
          if (recent + 1 > restarts) continue;
          borne.push(at);
          window = recordRestart(window, at, intensity);
          expect(window.length).toBeLessThanOrEqual(restarts);
        }
      }),
    );
  });
});

it('restarts that a clock which was set back has put into the future do not count', () => {
  const intensity = { restarts: 2, periodMs: 10 };
  const window = [1_000, 1_005].reduce<readonly number[]>((had, at) => recordRestart(had, at, intensity), []);
  expect(isTooMany(window, 1_006, intensity)).toBe(true);
  expect(isTooMany(window, 500, intensity)).toBe(false);
});

describe('backoff', () => {
  it('grows to its maximum and is never zero', () => {
    const backoff = { minMs: 100, maxMs: 5_000, factor: 2, jitter: 0, resetAfterMs: 0 };
    expect([0, 1, 2, 5, 6, 2_000].map((failures) => restartDelayMs(backoff, failures))).toEqual([
      100, 200, 400, 3_200, 5_000, 5_000,
    ]);
    expect(restartDelayMs({ ...backoff, minMs: 0 }, 3)).toBe(1);
  });
});

describe('strategy', () => {
  it('names who goes along', () => {
    const order = ['a', 'b', 'c'];
    expect(siblingsOf('one_for_one', order, 'b')).toEqual([]);
    expect(siblingsOf('dynamic', [], 'b')).toEqual([]);
    expect(siblingsOf('one_for_all', order, 'b')).toEqual(['a', 'c']);
    expect(siblingsOf('rest_for_one', order, 'b')).toEqual(['c']);
  });

  it('counts a kill as a failure', () => {
    expect(isRestarted('transient', { kind: 'killed' })).toBe(true);
    expect(isRestarted('temporary', { kind: 'killed' })).toBe(false);
  });
});

describe('table', () => {
  /** "Aa" and "BB" style collisions are rare; short keys over few letters fill leaves and make them split. */
  const key = fc.oneof(
    fc.string({ maxLength: 3 }),
    fc.nat(200).map((n) => `slot/${n}`),
    fc.constant('__proto__'),
  );
  const change = fc.tuple(key, fc.option(fc.nat(), { nil: undefined }));

  it('is a map, and leaves every older version as it was', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 300 }), (changes) => {
        const model = new Map<string, number>();
        let table: Table<number> = emptyTable;
        const versions: [Table<number>, [string, number][]][] = [];
        for (const [name, value] of changes) {
          table = value === undefined ? tableDelete(table, name) : tableSet(table, name, value);
          if (value === undefined) model.delete(name);
          else model.set(name, value);
          versions.push([table, [...model]]);
          expect(tableGet(table, name)).toBe(value);
        }
        for (const [version, entries] of versions.filter((_, at) => at % 50 === 0)) {
          expect(version.size).toBe(entries.length);
          expect(new Map(tableEntries(version))).toEqual(new Map(entries));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('holds keys whose hashes are equal', () => {
    // Found by search: FNV-1a collides on these.
    const names = ['costarring', 'liquid', 'declinate', 'macallums'];
    let table: Table<string> = emptyTable;
    for (const name of names) table = tableSet(table, name, name);
    for (let n = 0; n < 1_000; n += 1) table = tableSet(table, `k${n}`, 'x');
    for (const name of names) expect(tableGet(table, name)).toBe(name);
    for (const name of names) table = tableDelete(table, name);
    expect(table.size).toBe(1_000);
    expect(names.map((name) => tableGet(table, name))).toEqual(names.map(() => undefined));
  });
});
