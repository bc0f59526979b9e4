/** Removes the volumes of this node that an operator asked to remove, one at a time. Volumes are made by who mounts them. */
import { setup } from 'xstate';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import type { Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { KeyValue, Position, StoreEvent } from '../../protocols/state/model.ts';
import {
  freshStorage,
  storageGuards,
  storageSteps,
  type StorageValue,
} from '../../protocols/storage/manager.ts';
import { deciding, guarding, perform } from '../decide.ts';

export const volumeManagerMachine = setup({
  types: {} as {
    context: StorageValue;
    events: { at: number } & (
      | {
          type: 'store.trusted' | 'store.doubted' | 'store.compacted' | 'volume.forgotten';
        }
      | { type: 'volume.removed'; value: { removed: readonly string[] } }
      | { type: 'volumes.listed'; value: { kvs: readonly KeyValue[]; position: Position } }
      | { type: 'volumes.unlisted' | 'volume.unremoved' | 'store.failed'; error: Reason }
      | { type: 'store.changed'; events: readonly StoreEvent[]; position: Position }
      | { type: 'observed.changed'; slots: readonly SlotStatus[]; gone: readonly string[]; whole?: boolean }
    );
    input: { node: string };
    tags: 'ready';
  },
  guards: guarding<StorageValue, typeof storageGuards>(storageGuards),
  delays: { retry: limits.retryMs, reconcile: limits.reconcileMs },
  actions: { perform, ...deciding<StorageValue, typeof storageSteps>(storageSteps) },
}).createMachine({
  id: 'volume-manager',
  context: ({ input }) => freshStorage(input.node),
  tags: 'ready',
  initial: 'doubting',
  on: {
    'store.trusted': '.listing',
    'store.doubted': '.doubting',
    'store.changed': { actions: 'changed' },
    'observed.changed': { actions: 'noteSlots' },
    'store.compacted': '.listing',
    'store.failed': '.listingSoon',
  },
  states: {
    doubting: {
      entry: 'askTrust',
      // The answer to the question: asking again because of it would never end.
      on: { 'store.doubted': {} },
      after: { reconcile: { target: 'doubting', reenter: true } },
    },
    listing: {
      entry: 'list',
      on: { 'volumes.listed': { target: 'verifying', actions: 'listed' }, 'volumes.unlisted': 'listingSoon' },
    },
    /** Another store may stand there since it was trusted: nothing of the list counts before it is confirmed. */
    verifying: {
      entry: 'askTrust',
      on: { 'store.trusted': 'watching' },
      after: { reconcile: 'listing' },
    },
    listingSoon: { after: { retry: 'listing' } },
    watching: { always: { guard: 'hasRemoval', target: 'removing' }, after: { reconcile: 'listing' } },
    removing: {
      entry: 'removeFolder',
      on: {
        'volume.removed': { actions: 'removeRecord' },
        'volume.forgotten': 'listing',
        'volume.unremoved': { target: 'listingSoon', actions: 'noteTrouble' },
      },
    },
  },
});
