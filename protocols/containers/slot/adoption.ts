/**
 * What the runtime holds and the journal does not know: a damaged journal forgets runs that it had acknowledged. The
 * container's labels say which run it is, so a running one is taken over instead of being replaced.
 */
import { runName } from '../ids.ts';
import { send, type Decision } from '../../effects.ts';
import { containerPath } from '../../wire/paths.ts';
import type { RunKey } from '../model.ts';
import { fresh, keptOf, keyOf, record, sameRun, type SlotValue } from './value.ts';
import type { SlotEventOf } from './events.ts';

type Found = SlotEventOf<'container.found'>;

function isLater(key: RunKey, than: { run: number; attempt: number }): boolean {
  return key.run > than.run || (key.run === than.run && key.attempt > than.attempt);
}

export const adoptionGuards = {
  /** A later run of the assigned placement than the journal knows, and it runs. */
  findsLaterRun: ({ assignment, record: held }: SlotValue, { key, found }: Found) =>
    found === 'running' &&
    key.placement === assignment?.placement &&
    (held?.placement !== key.placement || isLater(key, held)),
  /** Of another run, or what an ended run left behind. A placement that the store has not told of yet is not judged. */
  isStray: (value: SlotValue, { key, found }: Found) => {
    if (value.noting) return false;
    if (value.assignment && key.placement > value.assignment.placement) return false;
    return !sameRun(key, keyOf(value)) || (value.record?.outcome !== undefined && found !== 'running');
  },
};

/** From now on this is the run; what was under way for an earlier one is given up. */
export const adoptRun = (former: SlotValue, { key }: Found): Decision<SlotValue> => {
  // The address is that of the earlier run, which may be of other networks; the run's own comes when it tells of itself.
  const { address: _, ...value } = former;
  const { placement, run, attempt } = key;
  const history = value.record?.placement === placement ? value.record.history : fresh;
  // It is of the assigned placement.
  const kept = value.assignment ? keptOf(value.assignment) : {};
  const [next, effects] = record(
    value,
    { placement, run, attempt, ...kept, started: true, history, logs: [runName(key)] },
    'run.recorded',
  );
  const before = keyOf(value);
  return [next, [...effects, ...(before ? [send(containerPath(before), { type: 'container.stop' })] : [])]];
};
