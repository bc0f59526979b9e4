/**
 * When a run has settled: the roll-out of its service goes on to the next replica then, and not before. What a health
 * check gates has shown that it works once it is ready; of what nothing probes, only that it stays up can be seen.
 */
import { schedule, type Decision } from '../../effects.ts';
import { isGated } from '../../health/check.ts';
import { limits } from '../../limits.ts';
import type { SlotValue } from './value.ts';

/** From the start of the run; a daemon that starts anew goes on with what is left. */
function settlesAfterMs({ assignment, record }: SlotValue): number {
  if ((record?.history.failuresInARow ?? 0) > 0) return limits.settleAfterFailureMs;
  return assignment && isGated(assignment.spec) ? 0 : limits.settleMs;
}

export function awaitSettled(value: SlotValue, at: number): Decision<SlotValue> {
  const afterMs = settlesAfterMs(value);
  // A wall clock that was set back makes nobody wait longer than that.
  const leftMs = Math.min(afterMs, (value.record?.startedAt ?? at) + afterMs - at);
  if (leftMs <= 0) return [{ ...value, settled: true }, []];
  return [value, [schedule('settle', leftMs, { type: 'settle.due' })]];
}

const noteSettled = (value: SlotValue): Decision<SlotValue> => [{ ...value, settled: true }, []];

const unsettle = (value: SlotValue): Decision<SlotValue> => {
  const { settled: _, ...rest } = value;
  return [rest, [{ do: 'cancel', token: 'settle' }]];
};

export const settlingSteps = { noteSettled, unsettle };
