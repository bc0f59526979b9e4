/** Volumes go only when it was asked for, only from this node, and only when nobody uses them. */
import { describe, expect, it } from 'vitest';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import { keys } from '../../../protocols/state/keys.ts';
import { everyAnonymous } from '../../../protocols/storage/anonymous.ts';
import {
  freshStorage,
  nextRemoval,
  storageSteps as steps,
  type VolumeRecord,
} from '../../../protocols/storage/manager.ts';

const record = (more: Partial<VolumeRecord> = {}): VolumeRecord => ({
  ...{ app: 'shop', volume: 'files', node: 'n1', removing: true },
  ...more,
});
const listed = (...records: VolumeRecord[]) =>
  steps.listed(freshStorage('n1'), {
    value: {
      kvs: records.map((value) => ({
        ...{ key: keys.volume(value.app, value.volume), value },
        ...{ createRevision: 1, modRevision: 4, version: 1 },
      })),
      position: { epoch: 1, revision: 4 },
    },
  })[0];
const status = (app: string) => ({ slot: `${app}/db.1`, app }) as SlotStatus;

describe('next to remove', () => {
  it.each([
    ['asked for', record(), [], true],
    ['kept', record({ removing: false }), [], false],
    ['of another node', record({ node: 'n2' }), [], false],
    ['in use by its app', record(), [status('shop')], false],
    ['in use is another app’s', record(), [status('blog')], true],
  ] as const)('%s', (_, volume, slots, goes) => {
    const [value] = steps.noteSlots(listed(volume), { slots, gone: [] });
    expect(nextRemoval(value) !== undefined).toBe(goes);
  });

  it('once the last slot of its app is gone', () => {
    const [used] = steps.noteSlots(listed(record()), { slots: [status('shop')], gone: [] });
    const [free] = steps.noteSlots(used, { slots: [], gone: ['shop/db.1'] });
    expect(nextRemoval(free)).toEqual(record());
    const [whole] = steps.noteSlots(used, { slots: [], gone: [], whole: true });
    expect(nextRemoval(whole)).toEqual(record());
  });
});

it('the folder goes first, then the record, if nobody changed it', () => {
  const [removing, first] = steps.removeFolder(listed(record()));
  expect(first).toMatchObject([
    { call: { port: 'volumes', op: 'remove', args: { app: 'shop', volume: 'files' } } },
  ]);
  const [, then] = steps.removeRecord(removing, { value: { removed: ['files'] } });
  const key = keys.volume('shop', 'files');
  expect(then[0]).toMatchObject({
    do: 'write',
    txn: { compare: [{ key, field: 'modRevision', equals: 4 }], then: [{ op: 'delete', key }] },
  });
});

it('of the anonymous ones, each that went is told', () => {
  const [removing] = steps.removeFolder(listed(record({ volume: everyAnonymous })));
  const removed = ['db.1.3f9a1c2bd0e1', 'db.2.3f9a1c2bd0e1'];
  const [, then] = steps.removeRecord(removing, { value: { removed } });
  expect(then.slice(1)).toMatchObject([
    { event: { type: 'volume.removed', subject: 'shop/db.1.3f9a1c2bd0e1' } },
    { event: { type: 'volume.removed', subject: 'shop/db.2.3f9a1c2bd0e1' } },
  ]);
});
