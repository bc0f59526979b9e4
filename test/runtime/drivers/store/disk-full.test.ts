/** The embedded store on a disk that fills up: a coded refusal, reads go on, nothing is lost, and it heals by itself. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CodedError } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import { openEmbeddedStore } from '../../../../runtime/drivers/store/embedded/embedded-store.ts';
import type { StoreEngine } from '../../../../runtime/drivers/store/engine.ts';
import { HeapClock } from '../../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { call } from '../../../conformance/state-store/rig.ts';

const root = process.getuid?.() === 0;
if (!root) console.log('skipped: the store on a full disk (mounting a small file system needs root)');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hivemind-full-'));
  if (root) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
});
afterEach(() => {
  if (root) execFileSync('umount', ['-l', folder]);
  rmSync(folder, { recursive: true });
});

const clock = new HeapClock();
const open = (): Promise<StoreEngine> =>
  openEmbeddedStore({ path: join(folder, 'store'), clock, random: seededRandom(1) });

/** `done`, or the code of its refusal. */
async function outcome(answer: Promise<unknown>): Promise<string> {
  const settled = answer.then(
    () => 'done',
    (error: unknown) => (error instanceof CodedError ? error.reason.code : String(error)),
  );
  await clock.settle();
  return settled;
}

const put = (store: StoreEngine, key: string, bytes: number, lease?: string): Promise<string> => {
  const op = {
    op: 'put',
    key,
    value: new Uint8Array(bytes),
    ...(lease === undefined ? {} : { lease }),
  } as const;
  return outcome(store.txn({ requestId: key, compare: [], then: [op] }, call()));
};

const count = async (store: StoreEngine): Promise<number> => (await store.list({ prefix: '' })).kvs.length;

test.runIf(root)('it refuses, answers reads, and goes on once there is space', async () => {
  const ballast = join(folder, 'ballast');
  writeFileSync(ballast, Buffer.alloc(4_000_000));
  const store = await open();
  const granted = store.grant({ ttlMs: 5_000 }, call());
  await clock.settle();
  const { lease } = await granted;
  expect(await put(store, 'leased', 1, lease)).toBe('done');
  let written = 1;
  let last = 'done';
  for (; last === 'done'; written++) last = await put(store, `k${written}`, 100_000);
  written -= 1;
  expect(last).toBe('HM-DISK-FULL');
  expect(await put(store, 'more', 100_000)).toBe('HM-DISK-FULL');
  expect(await count(store)).toBe(written);
  expect((await store.status()).position.revision).toBe(written);

  rmSync(ballast);
  expect(await put(store, 'more', 100_000)).toBe('done');
  expect((await store.status()).position.revision).toBe(written + 1);
  await store.close();
  const again = await open();
  expect(await count(again)).toBe(written + 1);
  await clock.advance(5_000);
  expect((await again.get({ key: 'leased' })).kv).toBeUndefined();
  await again.close();
});

test.runIf(root)('a lease whose end cannot be written ends as soon as it can', async () => {
  const store = await open();
  const granted = store.grant({ ttlMs: 5_000 }, call());
  await clock.settle();
  const { lease } = await granted;
  for (let i = 0; i < 6; i++) expect(await put(store, `leased${i}`, 60_000, lease)).toBe('done');
  // No byte left at all: ending the lease has to write some.
  const ballast = join(folder, 'ballast');
  expect(() => writeFileSync(ballast, Buffer.alloc(16_000_000))).toThrow('ENOSPC');
  await clock.advance(20_000);
  expect(await count(store)).toBe(6);
  rmSync(ballast);
  await clock.advance(limits.retryMs);
  expect(await count(store)).toBe(0);
  expect(await outcome(store.keepAlive({ lease }))).toBe('HM-STORE-LEASE');
  await store.close();
});
