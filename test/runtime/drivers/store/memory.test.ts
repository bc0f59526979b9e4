/** The memory store passes the suite, and its image is everything that a restart needs. */
import { expect, test } from 'vitest';
import {
  createMemoryStore,
  type MemoryStore,
} from '../../../../runtime/drivers/store/memory/memory-store.ts';
import { HeapClock } from '../../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { stateStoreConformance } from '../../../conformance/state-store.ts';
import { call, type OpenedStore } from '../../../conformance/state-store/rig.ts';

stateStoreConformance('memory', async (world) => {
  const open = (store: MemoryStore): OpenedStore => ({
    store,
    restart: async () => {
      await store.close();
      return open(createMemoryStore({ ...world, image: store.image() }));
    },
    close: () => store.close(),
  });
  return open(createMemoryStore(world));
});

test('an image is not touched by what the store does afterwards', async () => {
  const clock = new HeapClock();
  const store = createMemoryStore({ clock, random: seededRandom(1), identity: { id: 'mine', epoch: 3 } });
  const write = async (value: number): Promise<void> => {
    const txn = { requestId: `${value}`, compare: [], then: [{ op: 'put', key: 'a', value }] as const };
    await Promise.all([store.txn(txn, call()), clock.settle()]);
  };
  await write(1);
  const image = store.image();
  await write(2);
  const again = createMemoryStore({ clock, random: seededRandom(1), image });
  expect((await again.get({ key: 'a' })).kv!.value).toBe(1);
  expect((await again.status()).position).toEqual({ epoch: 3, revision: 1 });
  expect((await store.get({ key: 'a' })).kv!.value).toBe(2);
});
