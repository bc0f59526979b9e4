/** A store that is followed passes the suite; one that may not be takes no writes, whoever asks, until that is confirmed. */
import { expect, test } from 'vitest';
import { createMemoryStore } from '../../../../runtime/drivers/store/memory/memory-store.ts';
import { followedStore } from '../../../../runtime/drivers/store/followed-store.ts';
import { realClock } from '../../../../runtime/world/real-clock.ts';
import { realRandom } from '../../../../runtime/world/real-random.ts';
import { seenEntry, seenOf, type StoreSeen } from '../../../../protocols/state/guard.ts';
import { reasonOf } from '../../../../protocols/errors.ts';
import type { StateStore } from '../../../../protocols/ports.ts';
import { stateStoreConformance } from '../../../conformance/state-store.ts';
import { call, type OpenedStore } from '../../../conformance/state-store/rig.ts';

/** What a node with that in its journal reads there. */
const journalWith = (seen: () => StoreSeen | undefined) => ({
  read: async ({ prefix }: { readonly prefix: string }) => ({
    entries: prefix === seenEntry && seen() ? { [seenEntry]: seen() } : {},
  }),
});

stateStoreConformance('followed', async (world) => {
  const open = (memory: ReturnType<typeof createMemoryStore>): OpenedStore => ({
    store: followedStore(
      memory,
      journalWith(() => undefined),
    ),
    restart: async () => {
      await memory.close();
      return open(createMemoryStore({ ...world, image: memory.image() }));
    },
    close: () => memory.close(),
  });
  return open(createMemoryStore(world));
});

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (thrown: unknown) => reasonOf(thrown).code,
  );

const put = (store: StateStore, requestId: string) =>
  store.txn({ requestId, compare: [], then: [{ op: 'put', key: 'a', value: requestId }] }, call());

test.each([
  ['older than what was seen', (own: StoreSeen) => ({ ...own, revision: own.revision + 1 })],
  ['of an earlier restore', (own: StoreSeen) => ({ ...own, epoch: own.epoch + 1, revision: 0 })],
  ['another one', (own: StoreSeen) => ({ ...own, id: 'another' })],
])('a store that is %s takes no writes and answers reads, until it is confirmed', async (_what, other) => {
  const memory = createMemoryStore({ clock: realClock, random: realRandom });
  let seen: StoreSeen | undefined;
  const store = followedStore(
    memory,
    journalWith(() => seen),
  );
  expect(await codeOf(put(store, 'first'))).toBe('done');
  const { lease } = await store.grant({ ttlMs: 60_000 }, call());
  const status = await store.status({}, call());
  const own = seenOf(status);
  seen = other(own);
  expect(await codeOf(put(store, 'second'))).toBe('HM-STORE-FOREIGN');
  expect(await codeOf(store.grant({ ttlMs: 60_000 }, call()))).toBe('HM-STORE-FOREIGN');
  expect(await codeOf(store.keepAlive({ lease }, call()))).toBe('done');
  expect(await codeOf(store.revoke({ lease }, call()))).toBe('HM-STORE-FOREIGN');
  expect((await store.get({ key: 'a' }, call())).kv?.value).toBe('first');
  expect((await store.list({ prefix: '' }, call())).kvs).toHaveLength(1);
  expect((await store.status({}, call())).position).toEqual(status.position);
  seen = own;
  expect(await codeOf(put(store, 'third'))).toBe('done');
  await memory.close();
});
