/**
 * A health check's decisions: probe, count, tell the slot the verdict. Until the first pass it probes sooner, so that
 * a service is in the name service as soon as it can answer; `check.ts` says how failures count meanwhile.
 */
import type { HealthcheckSpec } from '../apps/model.ts';
import type { ExecResult, RunKey } from '../containers/model.ts';
import { drive, send, type Decision } from '../effects.ts';
import type { Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { freshTally, tally, type CheckTally } from './check.ts';

export interface CheckValue {
  readonly owner: string;
  readonly key: RunKey;
  readonly containerId: string;
  readonly spec: HealthcheckSpec;
  readonly tally: CheckTally;
  readonly probes: number;
  /** World time when this actor began; a restarted daemon judges anew, but never slower. */
  readonly beganAt: number;
}

export function checkValue(
  input: Omit<CheckValue, 'tally' | 'probes' | 'beganAt'> & { at: number },
): CheckValue {
  const { at, owner, key, containerId, spec } = input;
  return { owner, key, containerId, spec, tally: freshTally, probes: 0, beganAt: at };
}

type Value = CheckValue;

const begin = (value: Value): Decision<Value> => [
  value,
  [send(value.owner, { type: 'check.began', key: value.key })],
];

const probe = (value: Value): Decision<Value> => {
  const probes = value.probes + 1;
  const args = { id: value.containerId, args: value.spec.test, terminal: false } as const;
  const call = { port: 'containers', op: 'run', args } as const;
  return [
    { ...value, probes },
    [
      drive(
        `probe:${probes}`,
        call,
        { done: 'probe.answered', failed: 'probe.failed' },
        value.spec.timeoutMs,
      ),
    ],
  ];
};

const judge = (value: Value, event: { at: number; value?: ExecResult; error?: Reason }): Decision<Value> => {
  const passed = event.value?.code === 0;
  const output = event.value?.output ?? event.error?.message ?? '';
  const next = tally(value.spec, value.tally, passed, output, event.at - value.beganAt);
  const news = { type: 'health.changed', key: value.key, verdict: next.verdict, output };
  // Every time, not only when it changes: a slot that was restarted has heard nothing yet.
  return [{ ...value, tally: next }, next.verdict === 'starting' ? [] : [send(value.owner, news)]];
};

/** How long until the next probe, ms. */
export function pauseMs(value: Value): number {
  return value.tally.verdict === 'starting'
    ? Math.min(value.spec.intervalMs, limits.retryMs)
    : value.spec.intervalMs;
}

export const checkSteps = { begin, probe, judge };

export const checkGuards = {
  /** The runtime did not answer: that says nothing about the container. */
  saysNothing: (_: Value, event: { error: Reason }) => event.error.code === 'HM-RUNTIME-DOWN',
};
