/**
 * A container's hooks and its end: endpoint withdrawn → drain → pre-stop hooks → signal → grace → kill. Each step is
 * told and bounded; `container.ts` has what comes before.
 */
import type { HookSpec } from '../apps/service-model.ts';
import { emit, schedule, send, type Decision } from '../effects.ts';
import { reason, withEvidence, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { paths } from '../wire/paths.ts';
import { ask, tell, type ContainerValue, type Ending } from './life/value.ts';
import type { ExecResult } from './model.ts';

type Value = ContainerValue;
type Answered = { value?: ExecResult; error?: Reason };

const slotOf = (value: Value): string => value.key.slot;

/** How long what is under way may take, once nothing new is sent there. */
export function drainMs({ assignment: { spec } }: Value): number {
  if (spec.probes?.drainMs !== undefined) return spec.probes.drainMs;
  if (spec.networkMode !== 'app') return 0;
  return spec.replicas > 1 ? limits.drainSharedMs : limits.drainMs;
}

const isServed = (value: Value): boolean => value.assignment.spec.networkMode === 'app' || drainMs(value) > 0;

const wantStop = (value: Value, event: { ending?: Ending }): Decision<Value> => [
  { ...value, stopWanted: true, ...(event.ending ? { ending: event.ending } : {}) },
  [],
];

const withdraw = (value: Value): Decision<Value> => [
  value,
  [
    send(paths.registry, { type: 'endpoint.withdraw', slot: slotOf(value), to: value.self }),
    schedule('withdraw', limits.withdrawMs, { type: 'withdraw.due' }),
  ],
];

/** A daemon that starts anew goes on with what is left of it. */
const drain = (value: Value, event: { at: number; type: string }): Decision<Value> => {
  const forMs = drainMs(value);
  const leftMs = Math.max(0, Math.min(forMs, (value.ending?.since ?? event.at) + forMs - event.at));
  const slot = slotOf(value);
  const text =
    event.type === 'withdraw.due'
      ? `${slot} is asked to end; names and ports could not be changed in time`
      : `${slot} has left names and ports`;
  return [
    value,
    [
      { do: 'cancel', token: 'withdraw' },
      emit('container.draining', slot, `${text}: what is under way has ${leftMs} ms`),
      schedule('drain', leftMs, { type: 'drain.due' }),
    ],
  ];
};

function runHook(value: Value, hook: HookSpec): Decision<Value> {
  const { command, user, workingDir, environment, privileged, timeoutMs = limits.hookMs } = hook;
  const args = {
    ...{ id: value.id, args: command, terminal: false },
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(environment === undefined ? {} : { environment }),
    ...(privileged ? { privileged } : {}),
  };
  return ask(value, 'hook.ended', { port: 'containers', op: 'run', args }, timeoutMs);
}

const nameOf = (hook: HookSpec | undefined): string => (hook?.command ?? []).join(' ').slice(0, 80);

/** Why a hook did not do what it should; absent when it did. */
function failureOf({ value: result, error }: Answered): string | undefined {
  if (error) return error.code === 'HM-RUNTIME-TIMEOUT' ? 'it did not end in time' : error.message;
  if (!result || result.code === 0) return undefined;
  const output = result.output.trim().slice(-200);
  return `it exited with code ${result.code}${output ? `: ${output}` : ''}`;
}

const postStarts = (value: Value) => value.assignment.spec.hooks?.postStart ?? [];
const preStops = (value: Value) => value.assignment.spec.hooks?.preStop ?? [];

/** The slot learns that the process runs before anything is done in it. */
const sayHooking = (value: Value): Decision<Value> => [
  value,
  [
    tell(value, {
      type: 'container.hooking',
      id: value.id,
      startedAt: value.startedAt ?? 0,
      ...(value.address === undefined ? {} : { address: value.address }),
    }),
  ],
];

const postStart = (value: Value): Decision<Value> => {
  const hook = postStarts(value)[value.postStarted];
  return hook ? runHook(value, hook) : [value, []];
};

const postStarted = (value: Value): Decision<Value> => {
  const text = `${slotOf(value)}: the post-start hook ran: ${nameOf(postStarts(value)[value.postStarted])}`;
  return [{ ...value, postStarted: value.postStarted + 1 }, [emit('hook.ran', slotOf(value), text)]];
};

const postStartFailed = (value: Value, event: Answered): Decision<Value> => {
  const slot = slotOf(value);
  const hook = nameOf(postStarts(value)[value.postStarted]);
  const text = `the post-start hook (${hook}) failed: ${failureOf(event) ?? 'it is not known how'}`;
  const because = reason('HM-HOOK-FAILED', text, { slot, hook });
  return [{ ...value, reason: because }, [emit('hook.failed', slot, `${slot}: ${text}`, because)]];
};

/** Until the slot has it stopped. */
const sayHookFailed = (value: Value, event: { at?: number }): Decision<Value> => {
  const livedMs = Math.max(0, (event.at ?? 0) - (value.startedAt ?? event.at ?? 0));
  const because = value.reason ?? reason('HM-HOOK-FAILED', undefined, { slot: slotOf(value) });
  return [value, [tell(value, { type: 'hook.failed', livedMs, reason: because })]];
};

const preStop = (value: Value): Decision<Value> => {
  const hook = preStops(value)[value.preStopped];
  return hook ? runHook(value, hook) : [value, []];
};

/** Ran or failed: it is told, and the stop goes on. */
const preStopped = (value: Value, event: Answered): Decision<Value> => {
  const slot = slotOf(value);
  const hook = nameOf(preStops(value)[value.preStopped]);
  const failure = failureOf(event);
  const next = { ...value, preStopped: value.preStopped + 1 };
  const isLast = next.preStopped >= preStops(value).length;
  const text = `${slot}: the pre-stop hook (${hook}) ${failure === undefined ? 'ran' : `failed: ${failure}`}`;
  const because = failure === undefined ? undefined : reason('HM-HOOK-FAILED', text, { slot, hook });
  return [
    next,
    [
      emit(failure === undefined ? 'hook.ran' : 'hook.failed', slot, text, because),
      ...(isLast ? [tell(value, { type: 'container.prestopped' })] : []),
    ],
  ];
};

const signal = (value: Value): Decision<Value> => {
  const { stopSignal: named, stopGraceMs } = value.assignment.spec;
  const [asked, effects] = ask(value, 'container.signalled', {
    port: 'containers',
    op: 'signal',
    args: { id: value.id, ...(named === undefined ? {} : { signal: named }) },
  });
  const how = named === undefined ? 'its stop signal' : named;
  const text = `${slotOf(value)} gets ${how} and has ${stopGraceMs} ms to end`;
  return [asked, [...effects, emit('container.stopping', slotOf(value), text)]];
};

const kill = (value: Value): Decision<Value> =>
  ask(value, 'container.killed', { port: 'containers', op: 'kill', args: { id: value.id } });

const sayOverdue = (value: Value): Decision<Value> => {
  const text = `${slotOf(value)} did not end within its grace period and is killed`;
  return [value, [emit('container.killed', slotOf(value), text, undefined, 'warning')]];
};

const sayStuck = (value: Value): Decision<Value> => {
  const because = withEvidence(reason('HM-CONTAINER-STUCK'), { slot: slotOf(value), container: value.id });
  return [{ ...value, reason: because }, [tell(value, { type: 'container.delayed', reason: because })]];
};

export const endingSteps = {
  wantStop,
  withdraw,
  drain,
  sayHooking,
  postStart,
  postStarted,
  postStartFailed,
  sayHookFailed,
  preStop,
  preStopped,
  signal,
  kill,
  sayOverdue,
  sayStuck,
};

export const endingGuards = {
  /** Others may be sent there: it leaves names and ports first. */
  drains: (value: Value, event: { ending?: Ending }) =>
    (event.ending ?? value.ending)?.drain === true && isServed(value),
  leavesFirst: (value: Value) => value.stopWanted && value.ending?.drain === true && isServed(value),
  hooksOpen: (value: Value) => value.postStarted < postStarts(value).length,
  hooksOver: (value: Value) => value.postStarted >= postStarts(value).length,
  hookPassed: (_: Value, event: Answered) => failureOf(event) === undefined,
  /** That says nothing about the hook: the runtime is away, or the container's end is about to be told. */
  hookUnheard: (_: Value, { error }: Answered) =>
    error !== undefined &&
    ['HM-RUNTIME-DOWN', 'HM-CONTAINER-STOPPED', 'HM-CONTAINER-UNKNOWN'].includes(error.code),
  preStopsOver: (value: Value) => value.preStopped >= preStops(value).length,
};
