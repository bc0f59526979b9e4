/** St6: the same commands on `memory` and `embedded` give the same rows, leases and history, to the last field. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openEmbeddedStore } from '../../../../runtime/drivers/store/embedded/embedded-store.ts';
import {
  createMemoryStore,
  type MemoryStore,
} from '../../../../runtime/drivers/store/memory/memory-store.ts';
import { command, Model, run, type Command } from '../../../conformance/state-store/model.ts';
import { call, StoreRig, type OpenedStore, type StoreArm } from '../../../conformance/state-store/rig.ts';

const memory: StoreArm = async (world) => {
  const open = (store: MemoryStore): OpenedStore => ({
    store,
    restart: async () => {
      await store.close();
      return open(createMemoryStore({ ...world, image: store.image() }));
    },
    close: () => store.close(),
  });
  return open(createMemoryStore(world));
};

const embedded: StoreArm = async (world) => {
  const path = mkdtempSync(join(tmpdir(), 'hivemind-alike-'));
  const open = async (): Promise<OpenedStore> => {
    const store = await openEmbeddedStore({ path, ...world });
    return {
      store,
      restart: async () => {
        await store.close();
        return open();
      },
      close: async () => {
        await store.close();
        rmSync(path, { recursive: true });
      },
    };
  };
  return open();
};

async function trace(arm: StoreArm, steps: readonly Command[]): Promise<unknown[]> {
  const rig = await new StoreRig(arm).open();
  try {
    const model = new Model();
    const seen: unknown[] = [];
    for (const step of steps) {
      await run(rig, model, step);
      seen.push(await rig.done(rig.store.list({ prefix: '' }, call())));
    }
    const { position } = await rig.done(rig.store.status({}, call()));
    for (let at = 0; at <= position.revision; at++) {
      seen.push(await rig.done(rig.store.list({ prefix: '', at }, call())));
      const { notices } = await rig.watch('a', at);
      for (const notice of notices) seen.push(notice.type === 'changed' ? notice.events : notice.type);
    }
    return seen;
  } finally {
    await rig.close();
  }
}

test('what memory answers, embedded answers', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (steps) => {
      expect(await trace(embedded, steps)).toEqual(await trace(memory, steps));
    }),
    { numRuns: 50 },
  );
});
