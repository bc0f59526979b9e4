/**
 * The decisions of a container's check: probe, count, tell the slot the verdict. What gates the endpoint is probed
 * sooner until it passes first, so that a service is in the name service as soon as it can answer; `check.ts` says how
 * failures count meanwhile.
 */
import type { ExecResult, RunKey } from '../containers/model.ts';
import { drive, schedule, send, type Decision, type Effect } from '../effects.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import type { DriveCall } from '../ports.ts';
import type { ActorPath } from '../wire/address.ts';
import { freshTally, isHurried, tally, verdictOf, type Tallies } from './check.ts';
import type { ProbeResult, ProbeRole, RoleProbe } from './model.ts';

export interface CheckValue {
  readonly owner: ActorPath;
  readonly key: RunKey;
  readonly containerId: string;
  /** Where network probes go; absent for a container without a network. */
  readonly address?: string;
  readonly probes: readonly RoleProbe[];
  readonly tallies: Tallies;
  /** Numbers the questions. */
  readonly asked: number;
  readonly startedAt: number;
  /** World time when this actor began; a restarted daemon judges anew, but never slower. */
  readonly beganAt: number;
  /** World time of the newest event, and the same as if nobody had set the clock since this actor began. */
  readonly seenAt: number;
  readonly steadyAt: number;
}

/** `startedUp`: an earlier life of this check saw the start-up probe pass. */
export interface CheckInput {
  readonly owner: ActorPath;
  readonly key: RunKey;
  readonly containerId: string;
  readonly address?: string;
  readonly probes: readonly RoleProbe[];
  readonly startedAt: number;
  readonly startedUp: boolean;
  readonly at: number;
}

/** By a clock that was set back since it may have started in the future: nobody waits for that. */
export function checkValue({ at, startedAt, startedUp, ...input }: CheckInput): CheckValue {
  const passed = { ...freshTally, state: 'good', passed: true } as const;
  const tallies = startedUp ? { startup: passed } : {};
  const times = { startedAt: Math.min(startedAt, at), beganAt: at, seenAt: at, steadyAt: at };
  return { ...input, ...times, tallies, asked: 0 };
}

type Value = CheckValue;

/** Between two events lies about a turn of a probe: what is less than nothing, or far more, is a clock that was set. */
function seen(value: Value, at: number): Value {
  const turns = value.probes.map(
    ({ initialDelayMs, intervalMs, timeoutMs }) => initialDelayMs + intervalMs + timeoutMs,
  );
  const passedMs = Math.min(2 * Math.max(...turns), Math.max(0, at - value.seenAt));
  return { ...value, seenAt: at, steadyAt: value.steadyAt + passedMs };
}

/** It ends with its slot's actor: the next life of that one may not know of it, and asks for its own. */
const begin = (value: Value): Decision<Value> => [
  value,
  [
    send(value.owner, { type: 'check.began', key: value.key }),
    { do: 'watch', id: 'owner', source: { of: 'actor', path: value.owner } },
  ],
];

/** World time from which a probe counts. */
const dueFrom = (value: Value, probe: RoleProbe): number =>
  Math.max(value.beganAt, value.startedAt + probe.initialDelayMs);

const next = (probe: RoleProbe, delayMs: number): Effect =>
  schedule(probe.role, delayMs, { type: 'probe.due', role: probe.role });

const beginning =
  (isIncluded: (role: ProbeRole) => boolean) =>
  (value: Value, event: { readonly at?: number }): Decision<Value> => {
    const current = seen(value, event.at ?? value.beganAt);
    const chosen = value.probes.filter(({ role }) => isIncluded(role));
    const leftMs = (probe: RoleProbe) => Math.max(0, dueFrom(current, probe) - current.steadyAt);
    return [current, chosen.map((probe) => next(probe, leftMs(probe)))];
  };

const ask = (value: Value, event: { role: ProbeRole }): Decision<Value> => {
  const probe = value.probes.find(({ role }) => role === event.role);
  if (!probe) return [value, []];
  const asked = value.asked + 1;
  const id = `${probe.role}:${asked}`;
  const call = callFor(value, probe);
  if (!call) {
    const error = reason('HM-HEALTH-FAILED', 'the container has no address that could be probed');
    return [{ ...value, asked }, [schedule(id, 0, { type: 'probe.failed', id, error })]];
  }
  const answer = { done: 'probe.answered', failed: 'probe.failed' };
  return [{ ...value, asked }, [drive(id, call, answer, probe.timeoutMs)]];
};

function callFor(value: Value, { action }: RoleProbe): DriveCall | undefined {
  const { containerId: id, address } = value;
  if (action.type === 'exec')
    return { port: 'containers', op: 'run', args: { id, args: action.command, terminal: false } };
  if (address === undefined) return undefined;
  return { port: 'probes', op: 'probe', args: { id, address, action } };
}

type Answer = { at: number; id: string; value?: ExecResult | ProbeResult; error?: Reason };

const probeOf = (value: Value, event: { id: string }): RoleProbe | undefined =>
  value.probes.find(({ role }) => event.id.startsWith(`${role}:`));

const judge = (former: Value, event: Answer): Decision<Value> => {
  const value = seen(former, event.at);
  const probe = probeOf(value, event);
  if (!probe) return [value, []];
  const { value: result, error } = event;
  const passed = result !== undefined && ('code' in result ? result.code === 0 : result.passed);
  const output = result?.output ?? error?.message ?? '';
  const before = value.tallies[probe.role] ?? freshTally;
  const upMs = value.steadyAt - dueFrom(value, probe);
  const tallies = { ...value.tallies, [probe.role]: tally(probe, before, passed, output, upMs) };
  const judged = { ...value, tallies };
  const { verdict, finding } = verdictOf(value.probes, tallies);
  const news = { type: 'health.changed', key: value.key, verdict, ...(finding ? { finding } : {}) };
  const isOver = probe.role === 'startup' && tallies.startup?.state === 'good';
  // Every time, not only when it changes: a slot that was restarted has heard nothing yet.
  return [
    judged,
    [
      ...(verdict === 'starting' ? [] : [send(value.owner, news)]),
      ...(isOver ? [] : [next(probe, pauseMs(judged, probe))]),
    ],
  ];
};

/** Who could not be asked is asked again. */
const askAgain = (former: Value, event: Answer): Decision<Value> => {
  const value = seen(former, event.at);
  const probe = probeOf(value, event);
  return [value, probe ? [next(probe, pauseMs(value, probe))] : []];
};

/** How long until the next probe, ms. Until the first pass: 100 ms, 200 ms, … 1 s, never longer than the interval. */
export function pauseMs(value: Value, probe: RoleProbe): number {
  if (!isHurried(probe) || value.tallies[probe.role]?.passed) return probe.intervalMs;
  const upMs = Math.max(0, value.steadyAt - dueFrom(value, probe));
  if (probe.startIntervalMs !== undefined && upMs < probe.startPeriodMs) return probe.startIntervalMs;
  return Math.min(probe.intervalMs, Math.max(limits.firstProbeMs, Math.min(upMs, limits.retryMs)));
}

export const checkSteps = {
  begin,
  beginStartup: beginning((role) => role === 'startup'),
  beginOthers: beginning((role) => role !== 'startup'),
  ask,
  askAgain,
  judge,
};

export const checkGuards = {
  /** The runtime did not answer: that says nothing about the container. */
  saysNothing: (_: Value, event: { error: Reason }) => event.error.code === 'HM-RUNTIME-DOWN',
  hasStarted: (value: Value) =>
    !value.probes.some(({ role }) => role === 'startup' && value.tallies[role]?.state !== 'good'),
};
