/** Compose's health check: when failures count, and what follows from them. */
import { describe, expect, it } from 'vitest';
import { freshTally, tally, type CheckTally } from '../../../protocols/health/check.ts';
import { checkGuards, checkSteps, checkValue, pauseMs } from '../../../protocols/health/probe.ts';
import { reason } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';

const spec = { test: ['true'], intervalMs: 10_000, timeoutMs: 1_000, retries: 3, startPeriodMs: 20_000 };
const probes = (results: readonly [boolean, number][], before: CheckTally = freshTally) => {
  let now = before;
  return results.map(([passed, upMs]) => (now = tally(spec, now, passed, `at ${upMs}`, upMs)).verdict);
};

describe('tally', () => {
  it('before the first pass, counts a failure for each interval after the start period, however often it probes', () => {
    const seconds = [0, 1, 5, 19, 20, 29, 30, 31, 39, 40, 49, 50];
    const verdicts = probes(seconds.map((second) => [false, second * 1_000]));
    expect(verdicts.filter((verdict) => verdict === 'starting')).toHaveLength(11);
    expect(verdicts.at(-1)).toBe('unhealthy');
  });

  it('is healthy with the first pass, also within the start period', () => {
    expect(
      probes([
        [false, 100],
        [true, 200],
      ]),
    ).toEqual(['starting', 'healthy']);
  });

  it('once healthy, every failure in a row counts, and one pass forgives them', () => {
    const healthy = tally(spec, freshTally, true, '', 0);
    const row = [false, false, true, false, false, false].map((passed): [boolean, number] => [passed, 1_000]);
    expect(probes(row, healthy)).toEqual([
      'healthy',
      'healthy',
      'healthy',
      'healthy',
      'healthy',
      'unhealthy',
    ]);
  });

  it('comes back from unhealthy', () => {
    expect(
      probes([
        [false, 60_000],
        [false, 61_000],
        [true, 62_000],
      ]),
    ).toEqual(['unhealthy', 'unhealthy', 'healthy']);
  });

  it('one retry means the first failure that counts', () => {
    const strict = { ...spec, retries: 1, startPeriodMs: 0 };
    expect(tally(strict, freshTally, false, '', 9_999).verdict).toBe('starting');
    expect(tally(strict, freshTally, false, '', 10_000).verdict).toBe('unhealthy');
  });
});

describe('the check', () => {
  const key = { slot: 'shop/web.1', placement: 1, run: 1, attempt: 1 };
  const fresh = checkValue({ owner: '/workload/slots/shop/web.1', key, containerId: 'c1', spec, at: 1_000 });

  it('probes with the time-out of the file, each under a number of its own', () => {
    const [once] = checkSteps.probe(fresh);
    const [, effects] = checkSteps.probe(once);
    expect(effects).toMatchObject([{ do: 'drive', id: 'probe:2', timeoutMs: 1_000, call: { op: 'run' } }]);
  });

  it.each([
    [{ value: { code: 0, output: 'fine' } }, [{ verdict: 'healthy', output: 'fine' }]],
    [{ value: { code: 1, output: 'no' } }, []],
    [{ error: reason('HM-RUNTIME-TIMEOUT', 'too slow') }, []],
  ])('tells its slot of a verdict, %o', (answer, news) => {
    const [, effects] = checkSteps.judge(fresh, { at: 2_000, ...answer });
    expect(effects.map((effect) => effect.do === 'send' && effect.event)).toMatchObject(news);
  });

  it('says every verdict again: a slot that began anew has heard nothing', () => {
    let [value, effects] = checkSteps.judge(fresh, { at: 2_000, value: { code: 0, output: '' } });
    [value, effects] = checkSteps.judge(value, { at: 3_000, value: { code: 0, output: '' } });
    expect(effects).toHaveLength(1);
    expect(pauseMs(value)).toBe(spec.intervalMs);
    expect(pauseMs(fresh)).toBe(Math.min(spec.intervalMs, limits.retryMs));
  });

  it('a silent runtime says nothing about the container', () => {
    expect(checkGuards.saysNothing(fresh, { error: reason('HM-RUNTIME-DOWN') })).toBe(true);
    expect(checkGuards.saysNothing(fresh, { error: reason('HM-RUNTIME-TIMEOUT') })).toBe(false);
  });
});
