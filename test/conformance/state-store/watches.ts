/** Watches of the store's conformance suite: St3, ordered, without gap or duplicate, or `compacted`. */
import { expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import type { WatchNotice } from '../../../protocols/state/model.ts';
import { call, eventLines, rigs, type StoreArm, type StoreRig } from './rig.ts';

export function watchCases(arm: StoreArm): void {
  followCases(arm);
  positionCases(arm);
  compactionCases(arm);
}

function followCases(arm: StoreArm): void {
  const fresh = rigs(arm);

  test('a watch tells whole revisions of its prefix, in order', async () => {
    const rig = await fresh();
    const { notices, stop } = await rig.watch('a/');
    await rig.put('a/1', 1);
    await rig.put('b/1', 1);
    await rig.txn([
      { op: 'put', key: 'a/2', value: { deep: [null] } },
      { op: 'put', key: 'b/2', value: 2 },
      { op: 'delete', key: 'a/1' },
    ]);
    expect(eventLines(notices)).toEqual(['1 put a/1=1', '3 put a/2={"deep":[null]}', '3 delete a/1']);
    expect(notices.at(-1)).toMatchObject({ type: 'changed', position: { revision: 3 } });
    stop();
    await rig.put('a/3', 1);
    expect(notices).toHaveLength(2);
  });

  test('watches from every position agree, however they are late', async () => {
    const rig = await fresh();
    for (let i = 1; i <= 20; i++) await rig.put(`k${i % 3}`, i);
    const whole = eventLines((await rig.watch('')).notices);
    expect(whole).toHaveLength(20);
    for (let after = 0; after <= 20; after++) {
      const late = await rig.watch('', after);
      expect(eventLines(late.notices)).toEqual(whole.slice(after));
    }
  });

  test('a watch that is opened in the middle of writes misses none', async () => {
    const rig = await fresh();
    const notices: WatchNotice[] = [];
    const { epoch } = await rig.position();
    const writes = Array.from({ length: 600 }, (_, i) => {
      if (i === 300)
        rig.store.watch({ prefix: '', after: { epoch, revision: 0 } }, (notice) => notices.push(notice));
      return rig.store.txn(
        { requestId: `${i}`, compare: [], then: [{ op: 'put', key: 'k', value: i }] },
        call(),
      );
    });
    await rig.done(Promise.all(writes));
    await rig.clock.settle();
    expect(eventLines(notices)).toEqual(Array.from({ length: 600 }, (_, i) => `${i + 1} put k=${i}`));
  });

  test('a notice never arrives inside the call that opened the watch', async () => {
    const rig = await fresh();
    await rig.put('a', 1);
    const { epoch } = await rig.position();
    let inside = true;
    const seen: boolean[] = [];
    rig.store.watch({ prefix: '', after: { epoch, revision: 0 } }, () => seen.push(inside));
    inside = false;
    await rig.clock.settle();
    expect(seen).toEqual([false]);
  });

  test('a watch that is stopped by its own notice, or by another, hears nothing more', async () => {
    const rig = await fresh();
    const heard: string[] = [];
    const { epoch } = await rig.position();
    const after = { epoch, revision: 0 };
    const stopFirst = rig.store.watch({ prefix: '', after }, () => {
      heard.push('first');
      stopFirst();
      stopSecond();
    });
    const stopSecond = rig.store.watch({ prefix: '', after }, () => heard.push('second'));
    await rig.put('a', 1);
    await rig.put('a', 2);
    expect(heard).toEqual(['first']);
  });

  test('after a restart a watch goes on from its position', async () => {
    const rig = await fresh();
    await rig.put('a', 1);
    await rig.put('a', 2);
    await rig.restart();
    await rig.put('a', 3);
    expect(eventLines((await rig.watch('', 1)).notices)).toEqual(['2 put a=2', '3 put a=3']);
  });
}

function positionCases(arm: StoreArm): void {
  const fresh = rigs(arm);
  const code = (notice: WatchNotice | undefined): unknown =>
    notice?.type === 'failed' ? (notice.error as { reason?: { code: string } }).reason?.code : notice?.type;

  test('a position of the future, or of a later epoch, is of another store', async () => {
    const rig = await fresh();
    await rig.put('a', 1);
    const { epoch } = await rig.position();
    for (const after of [
      { epoch, revision: 2 },
      { epoch: epoch + 1, revision: 0 },
    ]) {
      const { notices } = await rig.watchFrom('', after);
      expect(notices.map(code)).toEqual(['HM-STORE-FOREIGN']);
    }
  });

  test('a position of an earlier epoch is compacted: what it saw may have been undone', async () => {
    const rig = await fresh();
    const { epoch } = await rig.position();
    const { notices } = await rig.watchFrom('', { epoch: epoch - 1, revision: 0 });
    expect(notices).toEqual([{ type: 'compacted', oldest: { epoch, revision: 0 } }]);
  });

  test('half a character is no prefix', async () => {
    const rig = await fresh();
    expect((await rig.watch('\ud83d')).notices.map(code)).toEqual(['HM-STORE-LIMIT']);
  });
}

/** Beyond what must be kept, and by more than a step. */
const many = limits.storeHistoryRevisions + limits.storeCompactBatch + 100;

let fills = 0;

async function fill(rig: StoreRig, count: number): Promise<void> {
  const answers = Array.from({ length: count }, (_, i) =>
    rig.store.txn(
      { requestId: `fill-${++fills}`, compare: [], then: [{ op: 'put', key: `k${i % 7}`, value: i }] },
      call(),
    ),
  );
  await rig.done(Promise.all(answers));
}

function compactionCases(arm: StoreArm): void {
  const fresh = rigs(arm);

  test('history is kept for its time and its count, and then goes', { timeout: 60_000 }, async () => {
    const rig = await fresh();
    await rig.put('first', 1);
    const early = await rig.watch('');
    for (let written = 0; written < many; written += 5_000) await fill(rig, Math.min(5_000, many - written));
    await rig.clock.advance(limits.storeHistoryMs - limits.storeCompactMs);
    expect(await rig.keys('first', { at: 1 })).toEqual(['first']);
    await rig.clock.advance(3 * limits.storeCompactMs);
    const { oldest, position } = await rig.done(rig.store.status({}, call()));
    expect(position.revision - oldest.revision).toBe(limits.storeHistoryRevisions);
    expect(eventLines(early.notices)).toHaveLength(position.revision);

    expect((await rig.watch('', oldest.revision - 1)).notices).toEqual([{ type: 'compacted', oldest }]);
    expect(eventLines((await rig.watch('', oldest.revision)).notices)).toHaveLength(
      limits.storeHistoryRevisions,
    );
    const tooOld = rig.store.list({ prefix: '', at: oldest.revision - 1 }, call());
    expect(await rig.refusal(tooOld)).toBe('HM-STORE-COMPACTED');
    expect(await rig.keys('', { at: oldest.revision })).toHaveLength(8);
    expect(await rig.keys('first')).toEqual(['first']);

    await rig.restart();
    expect(await rig.done(rig.store.status({}, call()))).toMatchObject({ oldest, position });
    expect(eventLines((await rig.watch('', oldest.revision)).notices)).toHaveLength(
      limits.storeHistoryRevisions,
    );
  });
}
