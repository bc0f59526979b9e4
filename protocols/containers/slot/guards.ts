/** The questions a slot's chart asks. */
import type { RunKey } from '../model.ts';
import { isGated } from '../../health/check.ts';
import { afterExit, policyOf } from '../restart.ts';
import { endingEntry, keyOf, newestWrite, sameRun, type SlotValue } from './value.ts';
import { liveSlotGuards } from './live.ts';
import { adoptionGuards } from './adoption.ts';
import { replacementGuards } from './replacement.ts';
import type { SlotEventOf } from './events.ts';

const current = (value: SlotValue) =>
  value.record !== undefined && value.record.placement === value.assignment?.placement;

export const slotGuards = {
  /** The message is about the present attempt; others are late. */
  isOurs: (value: SlotValue, event: { readonly key: RunKey }) => sameRun(event.key, keyOf(value)),
  ...adoptionGuards,
  ...liveSlotGuards,
  ...replacementGuards,
  nothingAssigned: (value: SlotValue) => value.assignment === undefined,
  /** The manager had told it to end before this life began. */
  isToEnd: (value: SlotValue, event: SlotEventOf<'journal.read'>) =>
    event.value.entries[endingEntry(value.slot)] !== undefined && value.record !== undefined,
  isToBeForgotten: (value: SlotValue, event: SlotEventOf<'journal.read'>) =>
    event.value.entries[endingEntry(value.slot)] !== undefined,
  isLateAnswer: (value: SlotValue, event: SlotEventOf<'run.recorded' | 'run.failed'>) =>
    !newestWrite(value, event),
  isNewestWrite: (value: SlotValue, event: SlotEventOf<'run.noted'>) => newestWrite(value, event),
  /** An end that the journal does not hold would be forgotten by a kill, and its run made again. */
  endIsUnknown: (value: SlotValue) => value.noting === true,
  /** A container of an older placement may still be there. */
  holdsOlderRun: (value: SlotValue) => value.record !== undefined && !current(value),
  waitsForBackoff: (value: SlotValue) => current(value) && value.record?.outcome === 'restart',
  hasCompleted: (value: SlotValue) => current(value) && value.record?.outcome === 'completed',
  /** It was to be stopped when it failed, and may run on. */
  failsStill: (value: SlotValue) =>
    current(value) && value.record?.outcome === 'failed' && value.record.stop !== undefined,
  hasFailed: (value: SlotValue) => current(value) && value.record?.outcome === 'failed',
  holdsCurrentRun: (value: SlotValue) => current(value) && value.record?.outcome === undefined,
  recordIsCurrent: (value: SlotValue) => current(value),
  isNewPlacement: (value: SlotValue, event: SlotEventOf<'slot.assigned'>) =>
    value.assignment === undefined || event.assignment.placement > value.assignment.placement,
  isOldPlacement: (value: SlotValue, event: SlotEventOf<'slot.assigned'>) =>
    value.assignment !== undefined && event.assignment.placement < value.assignment.placement,
  endsCompleted: (value: SlotValue, event: SlotEventOf<'container.exited'>) =>
    sameRun(event.key, keyOf(value)) && follows(value, event) === 'completed',
  endsFailed: (value: SlotValue, event: SlotEventOf<'container.exited' | 'hook.failed'>) =>
    sameRun(event.key, keyOf(value)) && follows(value, event) === 'failed',
  /** An earlier life of the daemon saw its check pass. */
  wasReady: (value: SlotValue) => value.record?.ready === true,
  isGated: (value: SlotValue) => value.assignment !== undefined && isGated(value.assignment.spec),
  becameHealthy: (value: SlotValue, event: SlotEventOf<'health.changed'>) =>
    sameRun(event.key, keyOf(value)) && event.verdict === 'healthy',
  becameUnhealthy: (value: SlotValue, event: SlotEventOf<'health.changed'>) =>
    sameRun(event.key, keyOf(value)) && event.verdict === 'unhealthy',
  becameUnready: (value: SlotValue, event: SlotEventOf<'health.changed'>) =>
    sameRun(event.key, keyOf(value)) && event.verdict === 'unready',
  mayRestart: (value: SlotValue) => value.record?.outcome === 'restart',
  containerActorLost: (_value: SlotValue, event: SlotEventOf<'actor.exited'>) =>
    event.id === 'container' && event.reason.kind !== 'normal',
  containerActorEnded: (value: SlotValue, event: SlotEventOf<'actor.exited'>) => {
    const key = keyOf(value);
    return (
      event.id === 'container' &&
      event.reason.kind === 'normal' &&
      key !== undefined &&
      event.path.endsWith(`/${key.placement}.${key.run}.${key.attempt}`)
    );
  },
  checkActorLost: (_value: SlotValue, event: SlotEventOf<'actor.exited'>) => event.id === 'check',
};

function follows(value: SlotValue, event: SlotEventOf<'container.exited' | 'hook.failed'>) {
  if (!value.record || !value.assignment) return 'failed';
  return afterExit(policyOf(value.assignment.spec), value.record.history, event.exit?.code, event.livedMs)
    .next;
}
