/**
 * What follows the end of a run: the restart policy's answer, in the journal before anything comes of it, and the
 * reason that people see.
 */
import { emit, schedule, type Decision } from '../../effects.ts';
import { reason } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { afterExit } from '../restart.ts';
import type { SlotEventOf } from './events.ts';
import { record, type RunRecord, type SlotValue } from './value.ts';

/** An end of the process: the policy says what follows, the journal holds it before anything follows. */
export const concludeExit = (value: SlotValue, event: SlotEventOf<'container.exited'>): Decision<SlotValue> =>
  conclude(value, event.exit?.code, event.livedMs, event.at, event.exit ? { lastExit: event.exit } : {});

function conclude(
  value: SlotValue,
  code: number | undefined,
  livedMs: number,
  at: number,
  extra: Partial<RunRecord>,
): Decision<SlotValue> {
  const held = value.record;
  if (!held || !value.assignment) return [value, []];
  const next = afterExit(value.assignment.spec.restart, held.history, code, livedMs);
  const because = endReason(value, code, extra.lastExit?.oomKilled ?? false, next);
  const ended: RunRecord = {
    ...held,
    ...extra,
    outcome: next.next,
    ...(next.next === 'restart' ? { history: next.history, nextStartAt: at + next.delayMs } : {}),
    ...(because ? { reason: because } : {}),
  };
  const { reason: _, containerId: _id, ...rest } = value;
  const [recorded, effects] = record(
    { ...rest, ...(because ? { reason: because } : {}) },
    ended,
    'run.noted',
  );
  const level = next.next === 'completed' ? 'info' : next.next === 'failed' ? 'error' : 'warning';
  const told = emit('container.exited', value.slot, exitText(value, code, next), because, level);
  return [recorded, [...effects, told]];
}

function exitText(value: SlotValue, code: number | undefined, next: ReturnType<typeof afterExit>): string {
  const how = code === undefined ? 'was lost' : `exited with code ${code}`;
  const then = next.next === 'restart' ? `starts again in about ${next.delayMs} ms` : next.next;
  return `${value.slot} ${how}: ${then}`;
}

function endReason(
  value: SlotValue,
  code: number | undefined,
  oom: boolean,
  next: ReturnType<typeof afterExit>,
) {
  if (next.next === 'completed') return undefined;
  const evidence = {
    slot: value.slot,
    ...(code === undefined ? {} : { exitCode: code }),
    restarts: budgetText(value, next),
  };
  const what =
    code === undefined
      ? 'the container was lost'
      : oom
        ? 'the container ran out of memory'
        : `the process exited with code ${code}`;
  const hint = `hivemind logs ${value.slot}`;
  if (next.next === 'failed' && next.because === 'budget') {
    return reason('HM-RESTART-BUDGET', `${what}, and the policy allows no further restart`, evidence);
  }
  if (oom) return reason('HM-CONTAINER-OOM', what, evidence);
  if (code === undefined) return reason('HM-CONTAINER-LOST', what, evidence);
  return reason('HM-CONTAINER-EXIT', what, evidence, hint);
}

/** How much of the restart policy's budget is spent: `2 of 3`, or `2` where there is no end to it. */
function budgetText(value: SlotValue, next: ReturnType<typeof afterExit>): string {
  const spent = next.next === 'restart' ? next.history.restarts : (value.record?.history.restarts ?? 0);
  const { condition, maxAttempts } = value.assignment?.spec.restart ?? {};
  if (condition === 'none') return 'none allowed';
  return maxAttempts === undefined ? `${spent}, without limit` : `${spent} of ${maxAttempts}`;
}

/** An unhealthy container is restarted under its policy; `restart: no` leaves it running, unready. */
export const concludeUnhealthy = (value: SlotValue, event: { readonly at: number }): Decision<SlotValue> => {
  const { assignment, record: held } = value;
  if (!assignment || !held) return [value, []];
  const lived = held.startedAt === undefined ? 0 : event.at - held.startedAt;
  if (afterExit(assignment.spec.restart, held.history, undefined, lived).next !== 'restart')
    return [value, []];
  const [next, effects] = conclude(value, undefined, lived, event.at, {});
  const because = value.reason ?? reason('HM-HEALTH-FAILED', undefined, { slot: value.slot });
  return [{ ...next, reason: because }, effects.filter((effect) => effect.do !== 'emit')];
};

export const waitBackoff = (value: SlotValue, event: { readonly at: number }): Decision<SlotValue> => {
  const delayMs = Math.max(0, (value.record?.nextStartAt ?? event.at) - event.at);
  return [value, [schedule('backoff', delayMs, { type: 'backoff.due' }, limits.backoffJitter)]];
};
