/**
 * What follows the end of a run: the restart policy's answer, in the journal before anything comes of it, and the
 * reason that people see.
 */
import { emit, schedule, type Decision, type Effect } from '../../effects.ts';
import { reason, type Reason } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { afterExit, isCrashLoop, longestDelayMs, policyOf, stableMs } from '../restart.ts';
import type { SlotEventOf } from './events.ts';
import type { RunKey } from '../model.ts';
import { keyOf, record, removeNow, type RunRecord, type SlotValue } from './value.ts';

/** An end of the process: the policy says what follows, the journal holds it before anything follows. */
export const concludeExit = (value: SlotValue, event: SlotEventOf<'container.exited'>): Decision<SlotValue> =>
  conclude(value, event.exit?.code, event.livedMs, event.at, event.exit ? { lastExit: event.exit } : {});

/** The journal holds the record as it is: what ended of it may go. */
export const settleNote = (value: SlotValue): Decision<SlotValue> => {
  const { noting: _, former, ...known } = value;
  const ended = value.record?.outcome === undefined ? undefined : keyOf(value);
  return [known, [former, ended].filter((key) => key !== undefined).map(removeNow)];
};

export const letGo = (value: SlotValue, event: { readonly key: RunKey }): Decision<SlotValue> => [
  value,
  [removeNow(event.key)],
];

/** A post-start hook failed: the run has failed, and what runs of it is stopped; its pre-stop hooks are not for it. */
export const concludeHook = (value: SlotValue, event: SlotEventOf<'hook.failed'>): Decision<SlotValue> =>
  conclude(value, undefined, event.livedMs, event.at, {
    reason: event.reason,
    stop: { since: event.at, hooked: true },
  });

function conclude(
  value: SlotValue,
  code: number | undefined,
  livedMs: number,
  at: number,
  extra: Partial<RunRecord>,
): Decision<SlotValue> {
  const held = value.record;
  if (!held || !value.assignment) return [value, []];
  const next = afterExit(policyOf(value.assignment.spec), held.history, code, livedMs);
  const because = extra.reason ?? endReason(value, code, extra.lastExit?.oomKilled ?? false, next);
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
  const text = exitText(value, code, next, extra.reason?.message);
  const told = emit('container.exited', value.slot, text, because, level);
  return [recorded, [...effects, told, ...crashLoopNews(value, ended, next)]];
}

/** Once, when it becomes one; the ends that follow are told as ends. */
function crashLoopNews(
  { slot }: SlotValue,
  { reason: because }: RunRecord,
  next: ReturnType<typeof afterExit>,
): readonly Effect[] {
  if (next.next !== 'restart' || next.history.failuresInARow !== limits.crashLoopFailures) return [];
  const text = `${slot} is in a crash loop: ${because?.message ?? 'it ends again and again'}`;
  return [emit('container.crash-loop', slot, text, because, 'error')];
}

function exitText(
  value: SlotValue,
  code: number | undefined,
  next: ReturnType<typeof afterExit>,
  instead?: string,
): string {
  const how = instead
    ? `is stopped, ${instead}`
    : code === undefined
      ? 'was lost'
      : `exited with code ${code}`;
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
  const limit = value.assignment?.spec.resources?.limits?.memoryBytes;
  const evidence = {
    slot: value.slot,
    ...(code === undefined ? {} : { exitCode: code }),
    restarts: budgetText(value, next),
    ...(oom ? { outOfMemory: true, ...(limit === undefined ? {} : { memoryLimitBytes: limit }) } : {}),
  };
  const what =
    code === undefined
      ? 'the container was lost'
      : oom
        ? `the container ran out of memory${limit === undefined ? '' : `, limited to ${limit} bytes`}`
        : `the process exited with code ${code}`;
  const hint = `hivemind logs ${value.slot}`;
  if (next.next === 'failed' && next.because === 'budget') {
    return reason('HM-RESTART-BUDGET', `${what}, and the policy allows no further restart`, evidence);
  }
  if (next.next === 'restart' && isCrashLoop(next.history)) {
    const failures = next.history.failuresInARow;
    return reason('HM-CRASH-LOOP', `${what}, ${failures} times in a row`, { ...evidence, failures });
  }
  if (oom) return reason('HM-CONTAINER-OOM', what, evidence);
  if (code === undefined) {
    const byHand = `Its restart policy starts no other: hivemind restart ${value.slot}`;
    return reason('HM-CONTAINER-LOST', what, evidence, next.next === 'failed' ? byHand : undefined);
  }
  return reason('HM-CONTAINER-EXIT', what, evidence, hint);
}

/** How much of the restart policy's budget is spent: `2 of 3`, or `2` where there is no end to it. */
function budgetText(value: SlotValue, next: ReturnType<typeof afterExit>): string {
  const spent = next.next === 'restart' ? next.history.restarts : (value.record?.history.restarts ?? 0);
  const { condition, maxAttempts } = value.assignment ? policyOf(value.assignment.spec) : {};
  if (condition === 'none') return 'none allowed';
  return maxAttempts === undefined ? `${spent}, without limit` : `${spent} of ${maxAttempts}`;
}

/** An unhealthy container is restarted under its policy; `restart: no` leaves it running, unready. */
export const concludeUnhealthy = (value: SlotValue, event: { readonly at: number }): Decision<SlotValue> => {
  const { assignment, record: held } = value;
  if (!assignment || !held) return [value, []];
  const lived = held.startedAt === undefined ? 0 : event.at - held.startedAt;
  const follows = afterExit(policyOf(assignment.spec), held.history, undefined, lived);
  if (follows.next !== 'restart')
    return [value, [emit('health.kept', value.slot, keptText(value), value.reason)]];
  const { message, ...told } = value.reason ?? reason('HM-HEALTH-FAILED', undefined, { slot: value.slot });
  const loops = isCrashLoop(follows.history);
  const because: Reason = {
    ...told,
    ...(loops ? { code: 'HM-CRASH-LOOP' } : {}),
    message: loops ? `${message}; restarted ${follows.history.failuresInARow} times in a row` : message,
    evidence: { ...told.evidence, restarts: budgetText(value, follows) },
  };
  const [next, effects] = conclude(value, undefined, lived, event.at, { reason: because });
  const text = `${value.slot} is stopped and starts again in about ${follows.delayMs} ms: ${message}`;
  const stopped = emit('container.restarting', value.slot, text, because);
  // It has not ended yet: what follows is told in place of an end.
  const others = effects.filter((effect) => effect.do !== 'emit' || effect.event.type !== 'container.exited');
  return [next, [...others, stopped]];
};

const keptText = ({ slot }: SlotValue): string =>
  `${slot} goes on unserved: its restart policy allows no further start`;

/** After so long a run its failures are history; the next end is judged by its length. */
export const awaitStable = (value: SlotValue, at: number): readonly Effect[] => {
  const { assignment, record: held } = value;
  if (!assignment || !held || !isCrashLoop(held.history)) return [];
  const afterMs = stableMs(policyOf(assignment.spec));
  const leftMs = Math.max(0, Math.min(afterMs, (held.startedAt ?? at) + afterMs - at));
  return [schedule('stable', leftMs, { type: 'stable.due' })];
};

/** The failures stay counted: it may have ended long ago and nobody heard of it. */
export const noteStable = (value: SlotValue): Decision<SlotValue> => {
  const { record: held, slot } = value;
  if (!held || !isCrashLoop(held.history)) return [value, []];
  return [value, [emit('container.stable', slot, `${slot} runs again: its crash loop is over`)]];
};

export const waitBackoff = (value: SlotValue, event: { readonly at: number }): Decision<SlotValue> => {
  const leftMs = Math.max(0, (value.record?.nextStartAt ?? event.at) - event.at);
  // A wall clock that was set back makes nobody wait longer than that.
  const delayMs = Math.min(leftMs, longestDelayMs(value.assignment?.spec.restart));
  return [value, [schedule('backoff', delayMs, { type: 'backoff.due' }, limits.backoffJitter)]];
};
