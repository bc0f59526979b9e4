/** What a transaction decides, as a table: compares, revisions, versions, and whose lease a key has. */
import { expect, test } from 'vitest';
import {
  eventsOf,
  rowsBefore,
  type Change,
  type Commit,
  type LeaseRow,
  type Row,
} from '../../../protocols/state/history.ts';
import type { Compare, StoreOp } from '../../../protocols/state/model.ts';
import { decideLeaseEnd, decideTxn, leasesAfter, sealTxn, type View } from '../../../protocols/state/txn.ts';
import { encodePlain } from '../../../protocols/wire/codec.ts';

const value = (plain: unknown): Uint8Array => encodePlain(plain, 1_000);
const rowA: Row = { value: value('a'), createRevision: 3, modRevision: 5, version: 2 };
const rowB: Row = { value: value('b'), createRevision: 4, modRevision: 4, version: 1, lease: 'one' };
const rows: Record<string, Row> = { a: rowA, b: rowB };
const leases: Record<string, LeaseRow> = { one: { ttlMs: 1, keys: ['b'] }, two: { ttlMs: 2, keys: [] } };
const view: View = { revision: 7, row: (key) => rows[key], lease: (id) => leases[id] };

const decide = (then: readonly StoreOp[], compare: readonly Compare[] = []): readonly Change[] | undefined =>
  decideTxn(view, sealTxn({ requestId: 'r', compare, then }));

test.each<[string, Compare, boolean]>([
  ['a create revision that is right', { key: 'a', field: 'createRevision', equals: 3 }, true],
  ['a mod revision that is right', { key: 'a', field: 'modRevision', equals: 5 }, true],
  ['a version that is right', { key: 'a', field: 'version', equals: 2 }, true],
  ['a version that is old', { key: 'a', field: 'version', equals: 1 }, false],
  ['absence of what is there', { key: 'a', field: 'version', equals: 0 }, false],
  ['absence of what is not', { key: 'c', field: 'modRevision', equals: 0 }, true],
])('%s', (_name, compare, holds) => {
  expect(decide([{ op: 'delete', key: 'a' }], [compare]) !== undefined).toBe(holds);
});

test('changes carry what was before, at the next revision', () => {
  const changes = decide([
    { op: 'put', key: 'a', value: 1 },
    { op: 'put', key: 'c', value: 2, lease: 'two' },
    { op: 'delete', key: 'b' },
    { op: 'delete', key: 'absent' },
  ])!;
  expect(changes).toEqual([
    { key: 'a', row: { value: value(1), createRevision: 3, modRevision: 8, version: 3 }, before: rowA },
    { key: 'c', row: { value: value(2), createRevision: 8, modRevision: 8, version: 1, lease: 'two' } },
    { key: 'b', before: rowB },
  ]);
  expect(leasesAfter(view, changes)).toEqual(
    new Map([
      ['two', { ttlMs: 2, keys: ['c'] }],
      ['one', { ttlMs: 1, keys: [] }],
    ]),
  );
});

test('the end of a lease deletes its keys', () => {
  expect(decideLeaseEnd(view, leases['one']!)).toEqual([{ key: 'b', before: rowB }]);
  expect(decideLeaseEnd(view, leases['two']!)).toEqual([]);
});

test('commits tell their events and lead back to the rows before them', () => {
  const changes = decide([
    { op: 'put', key: 'a', value: 1 },
    { op: 'put', key: 'c', value: 2 },
  ])!;
  const commit: Commit = { revision: 8, at: 0, changes };
  expect(eventsOf(commit, 'a')).toEqual([
    { type: 'put', kv: { key: 'a', value: 1, createRevision: 3, modRevision: 8, version: 3 } },
  ]);
  expect(rowsBefore([commit], '')).toEqual(
    new Map([
      ['a', rowA],
      ['c', undefined],
    ]),
  );
});
