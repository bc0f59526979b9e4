/**
 * The conformance suite of `StateStore`: what St1 to St6 promise, said once, run by every driver. This file has
 * transactions, keys and limits; watches, leases and the model have their own.
 */
import { describe, expect, test } from 'vitest';
import { limits } from '../../protocols/limits.ts';
import type { StoreOp } from '../../protocols/state/model.ts';
import { leaseCases } from './state-store/leases.ts';
import { modelCases } from './state-store/model.ts';
import { call, rigs, type StoreArm } from './state-store/rig.ts';
import { watchCases } from './state-store/watches.ts';

export function stateStoreConformance(name: string, arm: StoreArm): void {
  describe(`state store: ${name}`, () => {
    describe('transactions', () => txnCases(arm));
    describe('keys', () => keyCases(arm));
    describe('limits', () => limitCases(arm));
    describe('retries and restarts', () => retryCases(arm));
    describe('watches', () => watchCases(arm));
    describe('leases', () => leaseCases(arm));
    describe('model', () => modelCases(arm));
  });
}

function txnCases(arm: StoreArm): void {
  const fresh = rigs(arm);

  test('a key has its revisions, its version and its own copy of the value', async () => {
    const rig = await fresh();
    const value = { list: [1] };
    const first = rig.store.txn(
      { requestId: 'a', compare: [], then: [{ op: 'put', key: 'a', value }] },
      call(),
    );
    value.list.push(2);
    expect((await rig.done(first)).position.revision).toBe(1);
    await rig.put('b', 1);
    await rig.put('a', 'again');
    expect(await rig.get('a')).toEqual({
      key: 'a',
      value: 'again',
      createRevision: 1,
      modRevision: 3,
      version: 2,
    });
    await rig.delete('a');
    await rig.put('a', null);
    expect(await rig.get('a')).toMatchObject({ createRevision: 5, modRevision: 5, version: 1 });
    expect(await rig.get('c')).toBeUndefined();
  });

  test('what a reader changes in its answer changes nothing in the store', async () => {
    const rig = await fresh();
    await rig.put('a', { list: [1] });
    ((await rig.get('a'))!.value as { list: number[] }).list.push(2);
    expect((await rig.get('a'))!.value).toEqual({ list: [1] });
  });

  test('St1: of transactions that compare the same revision, one wins', async () => {
    const rig = await fresh();
    await rig.put('leader', 'nobody');
    const tries = Array.from({ length: 10 }, (_, i) =>
      rig.txn([{ op: 'put', key: 'leader', value: i }], [{ key: 'leader', field: 'modRevision', equals: 1 }]),
    );
    const answers = await Promise.all(tries);
    expect(answers.map(({ succeeded }) => succeeded)).toEqual([true, ...Array<boolean>(9).fill(false)]);
    expect((await rig.get('leader'))!.value).toBe(0);
    expect((await rig.position()).revision).toBe(2);
  });

  test.each(['createRevision', 'modRevision', 'version'] as const)(
    'an absent key has %s 0',
    async (field) => {
      const rig = await fresh();
      const absent = { key: 'a', field, equals: 0 } as const;
      expect((await rig.txn([{ op: 'put', key: 'a', value: 1 }], [absent])).succeeded).toBe(true);
      expect((await rig.txn([{ op: 'put', key: 'a', value: 2 }], [absent])).succeeded).toBe(false);
      expect((await rig.get('a'))!.value).toBe(1);
    },
  );

  test('all operations share one revision; all compares must hold', async () => {
    const rig = await fresh();
    await rig.put('a', 1);
    const then: StoreOp[] = [
      { op: 'put', key: 'b', value: 1 },
      { op: 'delete', key: 'a' },
      { op: 'put', key: 'c', value: 1 },
    ];
    const no = await rig.txn(then, [
      { key: 'a', field: 'version', equals: 1 },
      { key: 'b', field: 'version', equals: 1 },
    ]);
    expect(no).toMatchObject({ succeeded: false, position: { revision: 1 } });
    expect(await rig.keys('')).toEqual(['a']);
    const yes = await rig.txn(then, [{ key: 'a', field: 'version', equals: 1 }]);
    expect(yes).toMatchObject({ succeeded: true, position: { revision: 2 } });
    expect(await rig.keys('')).toEqual(['b', 'c']);
  });

  test('what changes nothing makes no revision', async () => {
    const rig = await fresh();
    expect(await rig.delete('absent')).toMatchObject({ succeeded: true, position: { revision: 0 } });
    expect(await rig.txn([])).toMatchObject({ succeeded: true, position: { revision: 0 } });
  });
}

function keyCases(arm: StoreArm): void {
  const fresh = rigs(arm);
  /** In byte order. By UTF-16 units, U+1F600 would stand before U+FF21. */
  const ordered = [
    '\u0000',
    ' ',
    'a',
    'a\u0000',
    'a/',
    'a0',
    'ab',
    'b',
    'é',
    '\ud7ff',
    '\ue000',
    'Ａ',
    '\uffff',
    '😀',
    '😀a',
    '\u{10ffff}',
  ];

  test('lists are in byte order', async () => {
    const rig = await fresh();
    for (const key of ordered.toReversed()) await rig.put(key, key);
    expect(await rig.keys('')).toEqual(ordered);
    expect(await rig.keys('a')).toEqual(['a', 'a\u0000', 'a/', 'a0', 'ab']);
    expect(await rig.keys('😀')).toEqual(['😀', '😀a']);
    expect(await rig.keys('\u{10ffff}')).toEqual(['\u{10ffff}']);
    expect(await rig.keys('nothing')).toEqual([]);
  });

  test('pages join without gap or overlap', async () => {
    const rig = await fresh();
    for (const key of ordered) await rig.put(key, key);
    const read: string[] = [];
    for (;;) {
      const startAfter = read.at(-1);
      const page = await rig.done(
        rig.store.list({ prefix: '', limit: 3, ...(startAfter === undefined ? {} : { startAfter }) }, call()),
      );
      read.push(...page.kvs.map(({ key }) => key));
      expect(page.more).toBe(read.length < ordered.length);
      if (!page.more) break;
    }
    expect(read).toEqual(ordered);
  });

  test('a page may start after a key that is absent, or before or after its prefix', async () => {
    const rig = await fresh();
    for (const key of ['a1', 'b1', 'b3', 'c1']) await rig.put(key, 1);
    expect(await rig.keys('b', { startAfter: 'b2' })).toEqual(['b3']);
    expect(await rig.keys('b', { startAfter: 'a' })).toEqual(['b1', 'b3']);
    expect(await rig.keys('b', { startAfter: 'c' })).toEqual([]);
  });

  test('an older revision is read as it was', async () => {
    const rig = await fresh();
    await rig.put('a', 1);
    await rig.txn([
      { op: 'put', key: 'b', value: 1 },
      { op: 'put', key: 'a', value: 2 },
    ]);
    await rig.delete('a');
    await rig.put('c', 1);
    const at = async (revision: number): Promise<unknown> =>
      (await rig.done(rig.store.list({ prefix: '', at: revision }, call()))).kvs.map(
        ({ key, value, version }) => [key, value, version],
      );
    expect(await at(0)).toEqual([]);
    expect(await at(1)).toEqual([['a', 1, 1]]);
    expect(await at(2)).toEqual([
      ['a', 2, 2],
      ['b', 1, 1],
    ]);
    expect(await at(3)).toEqual([['b', 1, 1]]);
    expect(await rig.keys('', { at: 2, startAfter: 'a', limit: 1 })).toEqual(['b']);
    expect(await rig.refusal(rig.store.list({ prefix: '', at: 5 }, call()))).toBe('HM-STORE-FOREIGN');
  });
}

function limitCases(arm: StoreArm): void {
  const fresh = rigs(arm);
  const puts = (count: number, value: unknown = 1): StoreOp[] =>
    Array.from({ length: count }, (_, i) => ({ op: 'put', key: `k${i}`, value }));
  const half = Math.floor(limits.storeTxnBytes / 2);

  test.each<[string, readonly StoreOp[], 'none' | 'HM-STORE-LIMIT']>([
    ['the longest key', [{ op: 'put', key: 'é'.repeat(limits.storeKeyBytes / 2), value: 1 }], 'none'],
    [
      'a key one too long',
      [{ op: 'put', key: 'x'.repeat(limits.storeKeyBytes + 1), value: 1 }],
      'HM-STORE-LIMIT',
    ],
    [
      'a delete of a key one too long',
      [{ op: 'delete', key: 'x'.repeat(limits.storeKeyBytes + 1) }],
      'HM-STORE-LIMIT',
    ],
    ['an empty key', [{ op: 'put', key: '', value: 1 }], 'HM-STORE-LIMIT'],
    ['half a character', [{ op: 'put', key: 'a\ud83d', value: 1 }], 'HM-STORE-LIMIT'],
    [
      'the largest value',
      [{ op: 'put', key: 'a', value: new Uint8Array(limits.storeValueBytes - 5) }],
      'none',
    ],
    [
      'a value one too large',
      [{ op: 'put', key: 'a', value: new Uint8Array(limits.storeValueBytes - 4) }],
      'HM-STORE-LIMIT',
    ],
    ['a function', [{ op: 'put', key: 'a', value: () => 1 }], 'HM-STORE-LIMIT'],
    ['as many operations as allowed', puts(limits.storeTxnOps), 'none'],
    ['one operation more', puts(limits.storeTxnOps + 1), 'HM-STORE-LIMIT'],
    ['more bytes than allowed together', puts(2, new Uint8Array(half)), 'HM-STORE-LIMIT'],
    ['one key twice', [...puts(2), { op: 'delete', key: 'k1' }], 'HM-STORE-LIMIT'],
  ])('%s', async (_name, then, code) => {
    const rig = await fresh();
    expect(await rig.refusal(rig.store.txn({ requestId: 'r', compare: [], then }, call()))).toBe(code);
    expect((await rig.position()).revision).toBe(code === 'none' ? 1 : 0);
  });

  test('compares and request ids are bounded, too', async () => {
    const rig = await fresh();
    const compare = Array.from({ length: limits.storeTxnOps + 1 }, (_, i) => ({
      key: `k${i}`,
      field: 'version' as const,
      equals: 0,
    }));
    const then: StoreOp[] = [{ op: 'put', key: 'a', value: 1 }];
    for (const txn of [
      { requestId: 'r', compare, then },
      { requestId: '', compare: [], then },
      { requestId: 'x'.repeat(limits.storeRequestIdBytes + 1), compare: [], then },
    ]) {
      expect(await rig.refusal(rig.store.txn(txn, call()))).toBe('HM-STORE-LIMIT');
    }
    expect(await rig.refusal(rig.store.get({ key: '' }, call()))).toBe('HM-STORE-LIMIT');
    expect(await rig.refusal(rig.store.list({ prefix: '\ud83d' }, call()))).toBe('HM-STORE-LIMIT');
    expect(await rig.refusal(rig.store.list({ prefix: '', limit: 0 }, call()))).toBe('HM-STORE-LIMIT');
    expect((await rig.position()).revision).toBe(0);
  });
}

function retryCases(arm: StoreArm): void {
  const fresh = rigs(arm);
  const create = { key: 'a', field: 'version', equals: 0 } as const;

  test('St5: a retry gets the first answer, and nothing happens twice', async () => {
    const rig = await fresh();
    const yes = await rig.txn([{ op: 'put', key: 'a', value: 1 }], [create], 'one');
    const no = await rig.txn([{ op: 'put', key: 'a', value: 2 }], [create], 'two');
    await rig.delete('a');
    expect(await rig.txn([{ op: 'put', key: 'a', value: 1 }], [create], 'one')).toEqual(yes);
    expect(await rig.txn([{ op: 'put', key: 'a', value: 2 }], [create], 'two')).toEqual(no);
    expect(await rig.get('a')).toBeUndefined();
    expect((await rig.position()).revision).toBe(2);
  });

  test('a retry that meets its first try in the queue is one with it', async () => {
    const rig = await fresh();
    const txn = { requestId: 'one', compare: [create], then: [{ op: 'put', key: 'a', value: 1 }] as const };
    const [first, second] = await rig.done(
      Promise.all([rig.store.txn(txn, call()), rig.store.txn(txn, call())]),
    );
    expect(first).toEqual(second);
    expect(await rig.get('a')).toMatchObject({ version: 1 });
  });

  test('St2: after a restart everything is there, retries too', async () => {
    const rig = await fresh();
    const before = await rig.done(rig.store.status({}, call()));
    const first = await rig.txn([{ op: 'put', key: 'a', value: { x: [1] } }], [create], 'one');
    await rig.put('b', 1);
    await rig.delete('b');
    await rig.restart();
    expect(await rig.txn([{ op: 'put', key: 'a', value: 2 }], [create], 'one')).toEqual(first);
    expect(await rig.get('a')).toEqual({
      key: 'a',
      value: { x: [1] },
      createRevision: 1,
      modRevision: 1,
      version: 1,
    });
    const after = await rig.done(rig.store.status({}, call()));
    expect(after).toEqual({ ...before, position: { epoch: before.position.epoch, revision: 3 } });
    expect(await rig.put('c', 1)).toMatchObject({ position: { revision: 4 } });
  });

  test('a write whose caller gave up before it was begun is not done', async () => {
    const rig = await fresh();
    const gone = new AbortController();
    const txn = { requestId: 'r', compare: [], then: [{ op: 'put', key: 'a', value: 1 }] as const };
    const answer = rig.store.txn(txn, call('k', gone.signal));
    gone.abort();
    expect(await rig.refusal(answer)).toBe('HM-STORE-DOWN');
    expect(await rig.get('a')).toBeUndefined();
  });
}
