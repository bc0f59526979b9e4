/** What the container manager hears. */
import type { SlotStatus } from '../apps/status.ts';
import type { Reason } from '../errors.ts';
import type { KeyValue, Position, StoreEvent } from '../state/model.ts';
import type { RunKey, RuntimePhase } from './model.ts';

export type ManagerEvent = { readonly at: number; readonly replyTo?: string } & (
  | {
      readonly type: 'journal.read';
      readonly value: { readonly entries: Readonly<Record<string, unknown>> };
    }
  | { readonly type: 'journal.failed'; readonly error: Reason }
  | { readonly type: 'store.trusted'; readonly store: { readonly id: string } }
  | { readonly type: 'store.doubted'; readonly reason: Reason }
  | {
      readonly type: 'assignments.listed';
      readonly value: { readonly kvs: readonly KeyValue[]; readonly position: Position };
    }
  | { readonly type: 'assignments.unlisted'; readonly error: Reason }
  | { readonly type: 'assignments.written' }
  | { readonly type: 'assignments.unwritten'; readonly error: Reason }
  | { readonly type: 'store.changed'; readonly events: readonly StoreEvent[]; readonly position: Position }
  | { readonly type: 'store.compacted' }
  | { readonly type: 'store.failed'; readonly error: Reason }
  | { readonly type: 'slot.changed'; readonly status: SlotStatus }
  | { readonly type: 'slot.gone'; readonly slot: string }
  | { readonly type: 'slot.forgotten' }
  | { readonly type: 'orphan.removed' }
  | { readonly type: 'observed.report' }
  | { readonly type: 'observed.repeat'; readonly to: string }
  | {
      readonly type: 'container.found';
      readonly key: RunKey;
      readonly id: string;
      readonly found: RuntimePhase;
    }
  | { readonly type: 'actor.exited'; readonly id: string }
  | { readonly type: 'slots.due' }
);

export type ManagerEventOf<Type extends ManagerEvent['type']> = Extract<ManagerEvent, { type: Type }>;
