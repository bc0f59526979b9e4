/** What a slot does with the probes of its container, and makes of what they say. */
import { emit, schedule, send, type Decision, type Effect } from '../../effects.ts';
import { reason, type Reason } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { probesOf } from '../../health/check.ts';
import { attemptId, checkPath, containerPath, paths, slotPath } from '../../wire/paths.ts';
import type { SlotEventOf } from './events.ts';
import { follow, keyOf, record, type SlotValue } from './value.ts';

/** Asked again unless it says that it began: its supervisor may just begin anew, and hears nothing meanwhile. */
export function ensureCheck(value: SlotValue): readonly Effect[] {
  const start = startCheck(value);
  return start.length === 0 ? [] : [...start, schedule('check-again', limits.retryMs, { type: 'check.due' })];
}

function startCheck(value: SlotValue): readonly Effect[] {
  const key = keyOf(value);
  const { assignment, record: held } = value;
  const probes = assignment ? probesOf(assignment.spec) : [];
  if (!key || !held || probes.length === 0) return [];
  const address = assignment?.spec.networkMode === 'host' ? '127.0.0.1' : value.address;
  const input = {
    ...{ owner: slotPath(value.slot), key, containerId: value.containerId, probes },
    ...{ startedAt: held.startedAt ?? 0, startedUp: held.ready !== undefined },
    ...(address === undefined ? {} : { address }),
  };
  return [
    send(paths.checks, {
      type: 'child.start',
      spec: {
        id: attemptId(key),
        machine: 'check',
        input,
        restart: 'transient',
        shutdown: 'brutal_kill',
        type: 'worker',
        backoff: { minMs: 100, maxMs: 5_000, factor: 2, jitter: 0.2, resetAfterMs: 60_000 },
      },
    }),
  ];
}

/** One that began before has said so then, to whom this slot was: it is seen to be there. */
export const recheck = (value: SlotValue): Decision<SlotValue> => {
  const start = startCheck(value);
  const key = keyOf(value);
  return [value, key && start.length > 0 ? [...start, follow('check', checkPath(key))] : []];
};

/** What has ended fails its probes too; that is its end, and none that a probe brings about. */
export const lookAtContainer = (value: SlotValue): Decision<SlotValue> => {
  const key = keyOf(value);
  return [value, key ? [send(containerPath(key), { type: 'container.look' })] : []];
};

export const watchCheck = (value: SlotValue, event: SlotEventOf<'check.began'>): Decision<SlotValue> => [
  value,
  [{ do: 'cancel', token: 'check-again' }, follow('check', checkPath(event.key))],
];

export function endCheck(value: SlotValue): readonly Effect[] {
  const key = keyOf(value);
  if (!key || !value.assignment || probesOf(value.assignment.spec).length === 0) return [];
  return [
    { do: 'cancel', token: 'check' },
    { do: 'cancel', token: 'check-again' },
    send(paths.checks, { type: 'child.stop', id: attemptId(key) }),
  ];
}

export const noteHealth = (value: SlotValue, event: SlotEventOf<'health.changed'>): Decision<SlotValue> => {
  const { reason: _, ...kept } = value;
  const [rest, noted] = noteReadiness(kept, event.verdict === 'healthy');
  if (event.verdict === 'healthy')
    return [
      rest,
      [
        ...noted,
        follow('check', checkPath(event.key)),
        emit('health.passed', value.slot, `${value.slot} is healthy`),
      ],
    ];
  const because = healthReason(value.slot, event);
  const type = event.verdict === 'unready' ? 'health.unready' : 'health.failed';
  return [{ ...rest, reason: because }, [...noted, emit(type, value.slot, because.message, because)]];
};

/** Which probe fails, how often, and what it got to hear last. */
function healthReason(slot: SlotValue['slot'], { verdict, finding }: SlotEventOf<'health.changed'>): Reason {
  const output = finding?.output.trim().slice(-200) ?? '';
  const what =
    finding === undefined || finding.role === 'health'
      ? 'the health check fails'
      : `the ${finding.role} probe (${finding.action}) failed ${finding.failures} times in a row`;
  const evidence = finding ? { probe: finding.role, failures: finding.failures } : {};
  return reason(
    verdict === 'unready' ? 'HM-HEALTH-UNREADY' : 'HM-HEALTH-FAILED',
    `${what}${output ? `: ${output}` : ''}`,
    { slot, ...evidence },
  );
}

function noteReadiness(value: SlotValue, ready: boolean): Decision<SlotValue> {
  if (!value.record || value.record.ready === ready) return [value, []];
  return record(value, { ...value.record, ready }, 'run.noted');
}

export const noteStarting = (value: SlotValue): Decision<SlotValue> => {
  const because = reason('HM-HEALTH-STARTING', undefined, { slot: value.slot });
  return [{ ...value, reason: because }, []];
};
