/** What a slot does about a container that goes on running: hands it new limits, and tells that it stands still. */
import { send, type Decision, type Effect } from '../../effects.ts';
import { reason } from '../../errors.ts';
import type { ActorPath } from '../../wire/address.ts';
import { containerPath } from '../../wire/paths.ts';
import type { Assignment } from '../../apps/model.ts';
import type { SlotEventOf } from './events.ts';
import { keyOf, sameRun, tell, type SlotValue } from './value.ts';

/** To the container of this placement, whether it runs already or is being made. */
export function handResources(value: SlotValue, next: Assignment): readonly Effect[] {
  const key = keyOf(value);
  if (!key || key.placement !== next.placement || value.record?.outcome !== undefined) return [];
  const before = value.assignment?.spec.resources;
  if (JSON.stringify(next.spec.resources) === JSON.stringify(before)) return [];
  return [tellResources(containerPath(key), next)];
}

export const tellResources = (to: ActorPath, { spec: { resources } }: Assignment): Effect =>
  send(to, { type: 'container.resources', ...(resources ? { resources } : {}) });

export const pausedReason = (slot: SlotValue['slot']) => reason('HM-CONTAINER-PAUSED', undefined, { slot });

const notePaused = (value: SlotValue, event: { readonly paused?: boolean }): Decision<SlotValue> => {
  const { paused: _paused, reason: _reason, ...rest } = value;
  if (!event.paused) return [rest, []];
  return [{ ...rest, paused: true, reason: pausedReason(value.slot) }, []];
};

/** The same again, with what has been noted since. */
const retell = (value: SlotValue, event: { readonly at: number }): Decision<SlotValue> =>
  value.told ? tell(value, event.at, value.told.phase, value.told.readiness) : [value, []];

/** New limits are in force: what was said about them no longer holds. */
const noteEased = (value: SlotValue): Decision<SlotValue> => {
  if (value.reason?.code !== 'HM-CONTAINER-UPDATE' && value.reason?.code !== 'HM-CONTAINER-SETTING')
    return [value, []];
  const { reason: _, ...rest } = value;
  return [rest, []];
};

export const liveSlotSteps = { notePaused, retell, noteEased };

export const liveSlotGuards = {
  isPaused: (value: SlotValue) => value.paused === true,
  wasPaused: (value: SlotValue, event: SlotEventOf<'container.paused'>) =>
    event.paused && sameRun(event.key, keyOf(value)),
};
