/** Leases of the store's conformance suite: St4, never early, and then for good. */
import { expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import { call, eventLines, rigs, type StoreArm } from './rig.ts';

export function leaseCases(arm: StoreArm): void {
  endCases(arm);
  holderCases(arm);
  grantCases(arm);
}

function endCases(arm: StoreArm): void {
  const fresh = rigs(arm);

  test('keys live until the term is over, not a millisecond less, and die at one revision in key order', async () => {
    const rig = await fresh();
    const lease = await rig.grant(1_000);
    await rig.put('b', 1, lease);
    await rig.put('a', 1, lease);
    await rig.put('free', 1);
    const { notices } = await rig.watch('', 3);
    await rig.clock.advance(999);
    expect(await rig.keys('')).toEqual(['a', 'b', 'free']);
    await rig.clock.advance(1);
    expect(await rig.keys('')).toEqual(['free']);
    expect(eventLines(notices)).toEqual(['4 delete a', '4 delete b']);
  });

  test('a renewal gives a full term from then on', async () => {
    const rig = await fresh();
    const lease = await rig.grant(1_000);
    await rig.put('a', 1, lease);
    for (let i = 0; i < 5; i++) {
      await rig.clock.advance(900);
      expect(await rig.done(rig.store.keepAlive({ lease }, call()))).toEqual({ ttlMs: 1_000 });
    }
    await rig.clock.advance(999);
    expect(await rig.keys('')).toEqual(['a']);
    await rig.clock.advance(1);
    expect(await rig.keys('')).toEqual([]);
  });

  test('leases end each at its time', async () => {
    const rig = await fresh();
    for (const ttlMs of [3_000, 1_000, 2_000]) await rig.put(`k${ttlMs}`, 1, await rig.grant(ttlMs));
    const left: string[][] = [];
    for (let i = 0; i < 3; i++) {
      await rig.clock.advance(1_000);
      left.push(await rig.keys(''));
    }
    expect(left).toEqual([['k2000', 'k3000'], ['k3000'], []]);
  });

  test('a revoke ends it now; without keys it makes no revision', async () => {
    const rig = await fresh();
    const lease = await rig.grant(1_000);
    const empty = await rig.grant(1_000);
    await rig.put('a', 1, lease);
    expect(await rig.done(rig.store.revoke({ lease }, call()))).toMatchObject({
      succeeded: true,
      position: { revision: 2 },
    });
    expect(await rig.get('a')).toBeUndefined();
    expect(await rig.done(rig.store.revoke({ lease: empty }, call()))).toMatchObject({
      position: { revision: 2 },
    });
    expect(await rig.refusal(rig.store.revoke({ lease }, call()))).toBe('HM-STORE-LEASE');
  });

  test('after a restart a lease has its full term again, and ends after it', async () => {
    const rig = await fresh();
    const lease = await rig.grant(1_000);
    const revoked = await rig.grant(1_000);
    await rig.put('a', 1, lease);
    await rig.done(rig.store.revoke({ lease: revoked }, call()));
    await rig.clock.advance(900);
    await rig.restart();
    await rig.clock.advance(999);
    expect(await rig.keys('')).toEqual(['a']);
    expect(await rig.refusal(rig.store.keepAlive({ lease: revoked }, call()))).toBe('HM-STORE-LEASE');
    await rig.clock.advance(1);
    expect(await rig.keys('')).toEqual([]);
  });
}

function holderCases(arm: StoreArm): void {
  const fresh = rigs(arm);

  test('after its end the holder can neither write with it nor renew it', async () => {
    const rig = await fresh();
    const lease = await rig.grant(1_000);
    await rig.put('a', 1, lease);
    await rig.clock.advance(1_000);
    expect(await rig.refusal(rig.put('a', 2, lease))).toBe('HM-STORE-LEASE');
    expect(await rig.refusal(rig.store.keepAlive({ lease }, call()))).toBe('HM-STORE-LEASE');
    expect(await rig.get('a')).toBeUndefined();
  });

  test('a write that names no living lease writes nothing of its transaction', async () => {
    const rig = await fresh();
    const txn = rig.txn([
      { op: 'put', key: 'a', value: 1 },
      { op: 'put', key: 'b', value: 1, lease: 'none' },
    ]);
    expect(await rig.refusal(txn)).toBe('HM-STORE-LEASE');
    expect(await rig.keys('')).toEqual([]);
  });

  test('the last put decides whose lease a key has', async () => {
    const rig = await fresh();
    const first = await rig.grant(1_000);
    const second = await rig.grant(2_000);
    for (const key of ['moved', 'freed', 'deleted']) await rig.put(key, 1, first);
    await rig.put('moved', 2, second);
    await rig.put('freed', 2);
    await rig.delete('deleted');
    await rig.put('deleted', 2);
    expect(await rig.get('moved')).toMatchObject({ lease: second });
    expect(await rig.get('freed')).not.toHaveProperty('lease');
    await rig.clock.advance(1_000);
    expect(await rig.keys('')).toEqual(['deleted', 'freed', 'moved']);
    await rig.clock.advance(1_000);
    expect(await rig.keys('')).toEqual(['deleted', 'freed']);
  });

  test('a key created anew by the next holder has a later create revision: the fence', async () => {
    const rig = await fresh();
    const first = await rig.grant(1_000);
    await rig.put('leader', 'n1', first);
    await rig.clock.advance(1_000);
    await rig.put('leader', 'n2', await rig.grant(1_000));
    const stale = await rig.txn(
      [{ op: 'put', key: 'x', value: 1 }],
      [{ key: 'leader', field: 'createRevision', equals: 1 }],
    );
    expect(stale.succeeded).toBe(false);
  });
}

function grantCases(arm: StoreArm): void {
  const fresh = rigs(arm);

  test.each([0, -1, 1.5, NaN, limits.storeLeaseMs + 1])('a term of %s is refused', async (ttlMs) => {
    const rig = await fresh();
    expect(await rig.refusal(rig.store.grant({ ttlMs }, call()))).toBe('HM-STORE-LIMIT');
  });

  test('a retried grant is one lease; another call is another', async () => {
    const rig = await fresh();
    const grant = (key: string): Promise<{ lease: string }> =>
      rig.done(rig.store.grant({ ttlMs: 1_000 }, call(key)));
    const first = await grant('one');
    expect(await grant('one')).toEqual(first);
    expect(await grant('two')).not.toEqual(first);
    await rig.clock.advance(1_000);
    expect(await grant('one')).not.toEqual(first);
  });

  test('one lease holds a bounded number of keys', async () => {
    const rig = await fresh();
    const lease = await rig.grant(60_000);
    for (let from = 0; from < limits.storeLeaseKeys; from += limits.storeTxnOps) {
      await rig.txn(
        Array.from({ length: limits.storeTxnOps }, (_, i) => ({
          op: 'put',
          key: `k${from + i}`,
          value: 1,
          lease,
        })),
      );
    }
    expect(await rig.refusal(rig.put('one-more', 1, lease))).toBe('HM-STORE-LIMIT');
    await rig.put('k1', 2, lease);
    await rig.done(rig.store.revoke({ lease }, call()));
    expect(await rig.keys('')).toEqual([]);
  });
}
