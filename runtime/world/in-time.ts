/**
 * Checks of the doctor at the same time, each within the same bound: what does not answer (a frozen containerd, a disk
 * that is away) is a finding of its own and keeps no other from who asked.
 */
import type { ErrorCode } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Call, Clock } from '../../protocols/ports.ts';
import type { Finding } from '../node-handle.ts';

export interface Check {
  readonly id: string;
  /** Its call ends with the bound. */
  readonly run: (call: Call) => Promise<Finding>;
  /** When it does not answer. */
  readonly remedy?: string;
  readonly code?: ErrorCode;
}

/** In the order of the checks. Never rejects: a check that throws has failed. */
export function findingsInTime(clock: Clock, checks: readonly Check[]): Promise<readonly Finding[]> {
  return Promise.all(checks.map((check) => findingInTime(clock, check)));
}

async function findingInTime(clock: Clock, { id, run, remedy, code }: Check): Promise<Finding> {
  const failed = (detail: string): Finding => ({
    id,
    verdict: 'failed',
    detail,
    remedy: remedy ?? 'Look again in a while; hivemind events tells what happened.',
  });
  const silence = `does not answer within ${limits.doctorCheckMs / 1_000} s`;
  const late = failed(code === undefined ? silence : `${code}: ${silence}`);
  return inTime(clock, run, late).catch((thrown: unknown) => failed((thrown as Error).message));
}

/** What `run` answers, or `late` when the bound is over. */
export async function inTime<Answer>(
  clock: Clock,
  run: (call: Call) => Promise<Answer>,
  late: Answer,
): Promise<Answer> {
  const over = new AbortController();
  let timer: unknown;
  const bound = new Promise<Answer>((resolve) => {
    timer = clock.setTimer(limits.doctorCheckMs, () => {
      resolve(late);
      over.abort();
    });
  });
  try {
    return await Promise.race([run({ key: 'doctor', signal: over.signal }), bound]);
  } finally {
    clock.clearTimer(timer);
  }
}
