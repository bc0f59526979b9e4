/**
 * The decisions of a slot, one function a step; the chart in `actors/containers/slot.machine.ts` says which
 * event reaches which. Every change of the run is in the journal before the container hears of it.
 */
import { drive, emit, schedule, send, type Decision, type Effect } from '../../effects.ts';
import { limits } from '../../limits.ts';
import { containerPath, paths } from '../../wire/paths.ts';
import { sameFiles } from '../../security/files.ts';
import type { Assignment } from '../../apps/model.ts';
import { isGated } from '../../health/check.ts';
import type { RunKey } from '../model.ts';
import { runName } from '../ids.ts';
import { backoffMs, isCrashLoop } from '../restart.ts';
import { handResources, liveSlotSteps, pausedReason, tellResources } from './live.ts';
import { adoptRun } from './adoption.ts';
import { recoverNext, replacementSteps } from './replacement.ts';
import { awaitSettled, settlingSteps } from './settling.ts';
import {
  endCheck,
  ensureCheck,
  lookAtContainer,
  noteHealth,
  noteStarting,
  recheck,
  watchCheck,
} from './health.ts';
import {
  awaitStable,
  concludeExit,
  concludeHook,
  concludeUnhealthy,
  letGo,
  settleNote,
  noteStable,
  waitBackoff,
} from './outcome.ts';
import {
  assignmentEntry,
  endingOf,
  entriesOf,
  follow,
  forgetSlot,
  fresh,
  keptOf,
  keyOf,
  record,
  runEntry,
  startContainer,
  tell,
  type RunRecord,
  type SlotValue,
} from './value.ts';
import type { SlotEvent, SlotEventOf } from './events.ts';

type Step = (value: SlotValue, event: SlotEvent) => Decision<SlotValue>;

/** What was asked before is let go: it may have been answered from before the change that is to be seen. */
const readJournal: Step = (value) => {
  const writes = value.writes + 1;
  const read = drive(
    `read:${writes}`,
    { port: 'journal', op: 'read', args: { prefix: entriesOf(value.slot) } },
    { done: 'journal.read', failed: 'journal.failed' },
    limits.runtimeCallMs,
  );
  return [{ ...value, writes }, [{ do: 'cancel', token: `read:${value.writes}` }, read]];
};

/** Take over what the journal holds. A run that ended in a backoff goes on with what is left of it. */
const recover = (value: SlotValue, event: SlotEventOf<'journal.read'>): Decision<SlotValue> => {
  const assignment = event.value.entries[assignmentEntry(value.slot)] as Assignment | undefined;
  const held = event.value.entries[runEntry(value.slot)] as RunRecord | undefined;
  return [
    {
      ...value,
      ...(recoverNext(assignment, held) ?? (assignment ? { assignment } : {})),
      ...(held ? { record: held, ...(held.reason ? { reason: held.reason } : {}) } : {}),
    },
    [],
  ];
};

const retrySoon: Step = (value) => [value, [schedule('retry', limits.retryMs, { type: 'retry.due' }, 0.2)]];

/** The next run of the assignment: run 1 of a new placement, or one more of the present one. */
const numberRun: Step = (value) => {
  const { assignment, record: held } = value;
  if (!assignment) return [value, []];
  const same = held?.placement === assignment.placement;
  const next: RunRecord = {
    placement: assignment.placement,
    run: same ? held.run + 1 : 1,
    attempt: 1,
    started: false,
    ...keptOf(assignment),
    history: same ? held.history : fresh,
    ...(same && held.lastExit ? { lastExit: held.lastExit } : {}),
    ...(same && held.serves ? { serves: held.serves } : {}),
    logs: [
      ...(held?.logs ?? []),
      runName({ placement: assignment.placement, run: same ? held.run + 1 : 1 }),
    ].slice(-limits.logRuns),
  };
  // A loop is over when a run lasts, not when the next one begins.
  const loop = value.reason && isCrashLoop(next.history) ? { reason: value.reason } : {};
  // Not while its end is in nobody's journal; and who was lost before that says it again to a slot that may be gone.
  const former = value.noting && held?.outcome !== undefined ? keyOf(value) : undefined;
  const [recorded, effects] = record(
    { ...clear(value), ...loop, ...(former ? { former } : {}) },
    next,
    'run.recorded',
  );
  return [recorded, [...effects, pruneLogs(value.slot, next)]];
};

/** The files of older runs go: a container that crashes for ever must not fill the disk with its logs. */
function pruneLogs(slot: SlotValue['slot'], kept: RunRecord): Effect {
  const call = { port: 'volumes', op: 'pruneRuns', args: { slot, keep: kept.logs } } as const;
  return drive(
    `prune:${kept.logs.at(-1)}`,
    call,
    { done: 'logs.pruned', failed: 'logs.pruned' },
    limits.runtimeCallMs,
  );
}

/** The same run once more: what failed had not started. */
const numberAttempt: Step = (value) => {
  const held = value.record;
  if (!held || held.placement !== value.assignment?.placement)
    return numberRun(value, { type: 'retry.due', at: 0 });
  const { nextStartAt: _, stop: _stop, ...kept } = held;
  return record(value, { ...kept, attempt: held.attempt + 1 }, 'run.recorded');
};

function clear(value: SlotValue): SlotValue {
  const { reason: _reason, containerId: _id, paused: _paused, ...rest } = value;
  return rest;
}

/** Where its actor lives already, as after a crash of the slot's own, it is asked soon where it stands. */
const launch: Step = (value) => [
  value,
  [...startContainer(value, 'run'), schedule('container', limits.retryMs, { type: 'container.due' })],
];

const hasPostStart = (value: SlotValue) => (value.assignment?.spec.hooks?.postStart?.length ?? 0) > 0;

/** The container before it may have had one, on a network of its own; this one may have none. */
function addressed(value: SlotValue, { address }: { readonly address?: string }): SlotValue {
  const { address: _, ...rest } = value;
  return address === undefined ? rest : { ...rest, address };
}

/** The process runs: from now on its absence means lost, whatever its hooks do. */
const noteHooking = (value: SlotValue, event: SlotEventOf<'container.hooking'>): Decision<SlotValue> => {
  const next = { ...addressed(value, event), containerId: event.id };
  const followed = follow('container', containerPath(event.key));
  if (!value.record || value.record.started) return [next, [followed]];
  const noted: RunRecord = { ...value.record, started: true, startedAt: event.startedAt };
  const [recorded, effects] = record(next, noted, 'run.noted');
  return [recorded, [...effects, followed]];
};

const noteRunning = (value: SlotValue, event: SlotEventOf<'container.running'>): Decision<SlotValue> => {
  const [{ reason: _, ...kept }] = event.paused ? [value] : liveSlotSteps.notePaused(value, {});
  const next = {
    ...addressed(kept, event),
    ...(event.paused ? { paused: true as const, reason: pausedReason(value.slot) } : {}),
    containerId: event.id,
  };
  if (!value.record) return [next, []];
  const isHooked = value.record.hooked === true || !hasPostStart(value);
  const alreadyNoted = value.record.started && isHooked;
  const startedAt = (value.record.started ? value.record.startedAt : undefined) ?? event.startedAt;
  const serves = value.assignment !== undefined && !isGated(value.assignment.spec);
  const noted: RunRecord = {
    ...value.record,
    ...{ started: true, startedAt },
    ...(hasPostStart(value) ? { hooked: true as const } : {}),
    ...(serves && value.record.ready === undefined ? { ready: true } : {}),
  };
  const told = emit('container.started', value.slot, `${value.slot}#${noted.placement}.${noted.run} runs`);
  const followed = follow('container', containerPath(event.key));
  const [recorded, effects] = alreadyNoted
    ? [{ ...next, record: noted }, []]
    : record(next, noted, 'run.noted');
  const [settling, settles] = awaitSettled(recorded, event.at);
  const follows = [followed, ...ensureCheck(recorded), ...awaitStable(recorded, event.at), ...settles];
  return [settling, [...effects, ...follows, ...(alreadyNoted ? [] : [told])]];
};

/** Children of other supervisors are followed from their first word on: then they exist, and hear what changed before. */
const watchContainer = (value: SlotValue, event: SlotEventOf<'container.began'>): Decision<SlotValue> => {
  const { handed, ...rest } = value;
  const to = containerPath(event.key);
  const { assignment } = value;
  if (!handed || !assignment || assignment.placement !== event.key.placement)
    return [value, [follow('container', to)]];
  const again = [tellResources(to, assignment), send(to, { type: 'container.reassigned', assignment })];
  return [rest, [follow('container', to), ...again]];
};
const leaveRunning: Step = (value) => [value, [{ do: 'cancel', token: 'stable' }, ...endCheck(value)]];

/** A start that failed before the process ran: no exit, no budget spent; tried again until the cause is gone. */
const noteFailure = (value: SlotValue, event: SlotEventOf<'container.failed'>): Decision<SlotValue> => {
  const delayMs = Math.min(backoffMs(value.record?.attempt ?? 1), 5_000);
  const known = value.reason?.code === event.reason.code && value.reason.message === event.reason.message;
  const told = known ? [] : [emit('container.failed', value.slot, event.reason.message, event.reason)];
  return [
    { ...clear(value), reason: event.reason },
    [...told, schedule('retry', delayMs, { type: 'retry.due' }, 0.2)],
  ];
};

const noteJournalTrouble = (value: SlotValue, event: SlotEventOf<'run.failed'>): Decision<SlotValue> => [
  { ...value, reason: event.error },
  [schedule('retry', limits.retryMs, { type: 'retry.due' }, 0.2)],
];

const noteDelay = (value: SlotValue, event: SlotEventOf<'container.delayed'>): Decision<SlotValue> => [
  { ...value, reason: event.reason },
  [],
];

/** The journal refused a note: an outcome that it does not hold would be undone by the next start of the daemon. */
const noteSoon: Step = (value) => [value, [schedule('note', limits.retryMs, { type: 'note.due' }, 0.2)]];
/** Not while a new run is being numbered: that write holds all there is to say. */
const noteAgain: Step = (value) => {
  const held = value.record;
  return held && (held.started || held.outcome) ? record(value, held, 'run.noted') : [value, []];
};

/** The present container of the same placement hears the news: limits, and files that it does not restart for. */
const assign = (value: SlotValue, event: SlotEventOf<'slot.assigned'>): Decision<SlotValue> => {
  const { assignment } = event;
  const { next, ...rest } = value;
  const key = keyOf(value);
  const renewed = value.assignment && !sameFiles(value.assignment.spec, assignment.spec);
  const isSame = key !== undefined && key.placement === assignment.placement;
  const news =
    renewed && isSame ? [send(containerPath(key), { type: 'container.reassigned', assignment })] : [];
  // An older one that comes late changes nothing of what waits.
  const left = next && next.assignment.placement > assignment.placement ? value : rest;
  const effects = [...handResources(value, assignment), ...news];
  return [{ ...left, assignment, ...(effects.length > 0 ? { handed: true as const } : {}) }, effects];
};

/** Stop the present container, also one that an earlier life left: its actor is started if it is not there. */
const retire = (value: SlotValue, event: { readonly at?: number }): Decision<SlotValue> => {
  const key = keyOf(value);
  const [noted, effects] = noteStop(value, event.at ?? 0);
  if (!key || !noted.record) return [value, []];
  const stop = { type: 'container.stop', ending: endingOf(noted.record) };
  return [
    noted,
    [...endCheck(value), ...effects, ...startContainer(noted, 'stop'), send(containerPath(key), stop)],
  ];
};

/** Since when it ends: in the journal where a daemon that starts anew must not begin again. */
function noteStop(value: SlotValue, at: number): Decision<SlotValue> {
  const { record: held, assignment } = value;
  if (!held || held.stop) return [value, []];
  const next = { ...held, stop: { since: at } };
  const { hooks, probes } = assignment?.spec ?? {};
  const lasts = hooks?.preStop !== undefined || (probes?.drainMs ?? 0) > 0;
  return held.started && lasts ? record(value, next, 'run.noted') : [{ ...value, record: next }, []];
}

const notePreStopped = (value: SlotValue): Decision<SlotValue> => {
  const held = value.record;
  if (!held?.stop) return [value, []];
  return record(value, { ...held, stop: { ...held.stop, hooked: true } }, 'run.noted');
};

const containerSoon: Step = (value) => [
  value,
  [schedule('container', limits.retryMs, { type: 'container.due' })],
];
const checkSoon: Step = (value) => [value, [schedule('check-again', limits.retryMs, { type: 'check.due' })]];

/** The actor of the container was lost with its supervisor: start it again and let it say where it stands. */
const relaunch: Step = (value) => {
  const key = keyOf(value);
  return [
    value,
    [
      ...startContainer(value, 'run'),
      ...(key ? [send(containerPath(key), { type: 'container.report' })] : []),
    ],
  ];
};

const removeStray = (
  value: SlotValue,
  event: { readonly key: RunKey; readonly id: string },
): Decision<SlotValue> => [
  value,
  [
    drive(
      `stray:${event.id}`,
      { port: 'containers', op: 'remove', args: { id: event.id } },
      { done: 'stray.removed', failed: 'stray.removed' },
      limits.runtimeCreateMs,
    ),
  ],
];

const sayGone: Step = (value) => [
  value,
  [
    send(paths.manager, { type: 'slot.gone', slot: value.slot }),
    ...(value.assignment ? [emit('slot.removed', value.slot, `${value.slot} is gone`)] : []),
  ],
];
/** As often as it is asked: whoever asked before may be gone. */
const repeat: Step = (value) => [
  value,
  value.told ? [send(paths.manager, { type: 'slot.changed', status: value.told })] : [],
];

const telling =
  (phase: Parameters<typeof tell>[2], readiness: Parameters<typeof tell>[3]) =>
  (value: SlotValue, event: { readonly at?: number }): Decision<SlotValue> =>
    tell(value, event.at ?? value.told?.since ?? 0, phase, readiness);

/**
 * A container that is being adopted is not withdrawn meanwhile: nothing is told until it is known to have changed. A
 * slot that waits goes on waiting while it tries again: how long it has waited is what people want to know.
 */
const tellStarting: Step = (value, event) => {
  const { told } = value;
  const adopting = value.record?.started === true && told === undefined && value.reason === undefined;
  const triesAgain =
    told?.phase === 'waiting' &&
    told.reason !== undefined &&
    told.reason.code === value.reason?.code &&
    told.placement === value.assignment?.placement;
  return adopting || triesAgain ? [value, []] : telling('starting', 'none')(value, event);
};

export const slotSteps = {
  ...liveSlotSteps,
  ...replacementSteps,
  ...settlingSteps,
  adoptRun,
  readJournal,
  recover,
  retrySoon,
  numberRun,
  numberAttempt,
  launch,
  noteHooking,
  noteRunning,
  recheck,
  lookAtContainer,
  watchContainer,
  watchCheck,
  leaveRunning,
  concludeExit,
  concludeHook,
  concludeUnhealthy,
  letGo,
  settleNote,
  waitBackoff,
  noteStable,
  noteFailure,
  noteJournalTrouble,
  noteDelay,
  noteHealth,
  noteSoon,
  noteAgain,
  noteStarting,
  assign,
  retire,
  notePreStopped,
  containerSoon,
  checkSoon,
  relaunch,
  forget: forgetSlot,
  removeStray,
  sayGone,
  repeat,
  tellWaiting: telling('waiting', 'none'),
  tellStarting,
  tellUnready: telling('running', 'starting'),
  tellReady: telling('running', 'ready'),
  tellWithdrawn: telling('running', 'unready'),
  tellUnhealthy: telling('running', 'unhealthy'),
  tellBackoff: telling('backoff', 'none'),
  tellStopping: telling('stopping', 'none'),
  tellCompleted: telling('completed', 'none'),
  tellFailed: telling('failed', 'none'),
};
