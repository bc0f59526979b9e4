/** The store of another node passes the suite of stores; and what connections that break do to it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../../../../protocols/limits.ts';
import type { WatchNotice } from '../../../../../protocols/state/model.ts';
import { HeapClock } from '../../../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../../../runtime/world/seeded-random.ts';
import { stateStoreConformance } from '../../../../conformance/state-store.ts';
import { call, eventLines, type OpenedStore } from '../../../../conformance/state-store/rig.ts';
import { RemoteRig } from './arm.ts';

stateStoreConformance('remote', async (world) => {
  const rig = new RemoteRig(world);
  const { store } = rig.node(2, 'server');
  const opened: OpenedStore = {
    store,
    restart: async () => {
      await rig.restart();
      return opened;
    },
    close: async () => {
      await store.close();
      await rig.close();
    },
  };
  return opened;
});

describe('over connections that break', () => {
  let clock: HeapClock;
  let rig: RemoteRig;
  let node: ReturnType<RemoteRig['node']>;
  const server = '10.0.0.1 4484';
  beforeEach(() => {
    clock = new HeapClock();
    rig = new RemoteRig({ clock, random: seededRandom(11) });
    node = rig.node(2, 'server');
  });
  afterEach(() => rig.close());

  const put = (key: string, value: unknown, requestId = key) =>
    node.store.txn({ requestId, compare: [], then: [{ op: 'put', key, value }] }, call());

  async function within<Value>(ms: number, answer: Promise<Value>): Promise<Value> {
    answer.catch(() => undefined);
    for (let passed = 0; passed < ms; passed += 100) await clock.advance(100);
    return answer;
  }

  test('a write whose answer is lost is done once, and answered when the connection is back', async () => {
    await within(100, put('warm', 0));
    rig.network.cut(server, node.place);
    const answer = put('a', 1);
    await clock.advance(50);
    expect((await rig.store.get({ key: 'a' })).kv).toMatchObject({ version: 1 });
    rig.network.reset(server, node.place);
    rig.network.mendAll();
    expect(await within(5_000, answer)).toMatchObject({ succeeded: true, position: { revision: 2 } });
    expect((await rig.store.get({ key: 'a' })).kv).toMatchObject({ version: 1 });
  });

  test('what cannot be known is said so, and a retry with the same request id learns it', async () => {
    await within(100, put('warm', 0));
    rig.network.cut(server, node.place);
    const answer = put('a', 1, 'the-one');
    await expect(within(3 * limits.writeMs, answer)).rejects.toMatchObject({
      reason: { code: 'HM-STORE-UNKNOWN-OUTCOME' },
    });
    rig.network.mendAll();
    expect(await within(20_000, put('a', 1, 'the-one'))).toMatchObject({ position: { revision: 2 } });
    expect((await rig.store.get({ key: 'a' })).kv).toMatchObject({ version: 1 });
  });

  test('a server that was never reached has done nothing: HM-STORE-DOWN', async () => {
    rig.network.vanish(server);
    const read = node.store.get({ key: 'a' }, call());
    await expect(within(3 * limits.writeMs, read)).rejects.toMatchObject({
      reason: { code: 'HM-STORE-DOWN' },
    });
  });

  test('a watch tells each change once and in order, however often the connection is lost', async () => {
    const notices: WatchNotice[] = [];
    const after = { epoch: 1, revision: 0 };
    node.store.watch({ prefix: 'k', after }, (notice) => notices.push(notice));
    for (let at = 1; at <= 200; at++) {
      const txn = { requestId: `w${at}`, compare: [], then: [{ op: 'put', key: 'k', value: at }] as const };
      void rig.store.txn(txn, call());
      await clock.advance(at % 3 === 0 ? 40 : 5);
      if (at % 7 === 0) rig.network.reset(server, node.place);
      if (at % 50 === 0) await rig.restart();
    }
    await clock.advance(10_000);
    expect(eventLines(notices)).toEqual(Array.from({ length: 200 }, (_, i) => `${i + 1} put k=${i + 1}`));
    expect(rig.network.counts.dialled).toBeGreaterThan(3);
  });

  test('a long list comes in pages of one revision', async () => {
    const large = 'x'.repeat(200_000);
    for (let at = 0; at < 40; at++) {
      const txn = {
        requestId: `${at}`,
        compare: [],
        then: [{ op: 'put', key: `k${at + 10}`, value: large }] as const,
      };
      void rig.store.txn(txn, call());
    }
    await clock.settle();
    const { kvs, more, position } = await within(1_000, node.store.list({ prefix: 'k' }, call()));
    expect([kvs.length, more, position.revision]).toEqual([40, false, 40]);
    const some = await within(1_000, node.store.list({ prefix: 'k', limit: 25, startAfter: 'k14' }, call()));
    expect([some.kvs.length, some.more, some.kvs[0]?.key]).toEqual([25, true, 'k15']);
  });
});
