/** Probes and Compose's health check: when failures count, and what follows from them. */
import { describe, expect, it } from 'vitest';
import type { ProbeSpec } from '../../../protocols/apps/service-model.ts';
import { freshTally, probesOf, tally, verdictOf, type Tally } from '../../../protocols/health/check.ts';
import type { ProbeRole, RoleProbe } from '../../../protocols/health/model.ts';
import { checkGuards, checkSteps, checkValue, pauseMs } from '../../../protocols/health/probe.ts';
import type { Effect } from '../../../protocols/effects.ts';
import { reason } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';

const health: RoleProbe = {
  ...{ role: 'health', action: { type: 'exec', command: ['true'] }, initialDelayMs: 0, intervalMs: 10_000 },
  ...{ timeoutMs: 1_000, successes: 1, failures: 3, startPeriodMs: 20_000 },
};
const tcp = (role: ProbeRole, more: Partial<ProbeSpec> = {}): RoleProbe => ({
  ...{ role, action: { type: 'tcp', port: 80 }, initialDelayMs: 0, intervalMs: 10_000, timeoutMs: 1_000 },
  ...{ successes: 1, failures: 3, startPeriodMs: 0 },
  ...more,
});
const states = (probe: RoleProbe, results: readonly [boolean, number][], before: Tally = freshTally) => {
  let now = before;
  return results.map(([passed, upMs]) => (now = tally(probe, now, passed, `at ${upMs}`, upMs)).state);
};
const good: Tally = { ...freshTally, state: 'good', passed: true };
const bad: Tally = { ...freshTally, state: 'bad', failuresInARow: 3, lastOutput: 'refused' };

describe('tally', () => {
  it('before the first pass, counts a failure for each interval after the start period, however often it probes', () => {
    const seconds = [0, 1, 5, 19, 20, 29, 30, 31, 39, 40, 49, 50];
    const found = states(
      health,
      seconds.map((second) => [false, second * 1_000]),
    );
    expect(found.filter((state) => state === 'unknown')).toHaveLength(11);
    expect(found.at(-1)).toBe('bad');
  });

  it('is good with the first pass, also within the start period', () => {
    expect(
      states(health, [
        [false, 100],
        [true, 200],
      ]),
    ).toEqual(['unknown', 'good']);
  });

  it('once good, every failure in a row counts, and one pass forgives them', () => {
    const row = [false, false, true, false, false, false].map((passed): [boolean, number] => [passed, 1_000]);
    expect(states(health, row, good)).toEqual(['good', 'good', 'good', 'good', 'good', 'bad']);
  });

  it('comes back only after as many passes in a row as are wanted', () => {
    const row = [true, false, true, true].map((passed): [boolean, number] => [passed, 90_000]);
    expect(states(tcp('readiness', { successes: 2 }), row, bad)).toEqual(['bad', 'bad', 'bad', 'good']);
  });

  it('liveness, which nobody waits for, counts each failure from the first on', () => {
    const row = [false, false, false].map((passed): [boolean, number] => [passed, 1]);
    expect(states(tcp('liveness'), row)).toEqual(['unknown', 'unknown', 'bad']);
  });

  it('one retry means the first failure that counts', () => {
    const strict = { ...health, failures: 1, startPeriodMs: 0 };
    expect(tally(strict, freshTally, false, '', 9_999).state).toBe('unknown');
    expect(tally(strict, freshTally, false, '', 10_000).state).toBe('bad');
  });
});

describe('verdict', () => {
  const all = [tcp('startup'), tcp('readiness'), tcp('liveness')];
  it.each([
    [{}, 'starting', undefined],
    [{ startup: bad }, 'unhealthy', 'startup'],
    [{ startup: good }, 'starting', undefined],
    [{ startup: good, readiness: bad }, 'unready', 'readiness'],
    [{ startup: good, readiness: good }, 'healthy', undefined],
    [{ startup: good, readiness: bad, liveness: bad }, 'unhealthy', 'liveness'],
    [{ readiness: good, liveness: good }, 'starting', undefined],
  ] as const)('%o → %s', (tallies, verdict, role) => {
    const found = verdictOf(all, tallies);
    expect([found.verdict, found.finding?.role]).toEqual([verdict, role]);
  });

  it('without anything that gates, it is healthy', () => {
    expect(verdictOf([tcp('liveness')], {}).verdict).toBe('healthy');
  });

  it("Compose's health check gates and restarts, beside the others", () => {
    const healthcheck = {
      test: ['x'],
      intervalMs: 1,
      timeoutMs: 1,
      retries: 2,
      startPeriodMs: 5,
      startIntervalMs: 3,
    };
    const spec = { healthcheck, probes: { readiness: tcp('readiness') } };
    const probes = probesOf(spec as never);
    expect(probes.map(({ role }) => role)).toEqual(['health', 'readiness']);
    expect(probes[0]).toMatchObject({ failures: 2, startIntervalMs: 3 });
    expect(verdictOf(probes, { readiness: good }).verdict).toBe('starting');
    expect(verdictOf(probes, { readiness: good, health: bad }).verdict).toBe('unhealthy');
  });
});

describe('the check', () => {
  const key = { slot: 'shop/web.1', placement: 1, run: 1, attempt: 1 };
  const input = {
    ...{ owner: '/workload/slots/shop/web.1' as const, key, containerId: 'c1', address: '10.1.0.2' },
    ...{ startedAt: 1_000, startedUp: false, at: 1_000 },
  };
  const fresh = checkValue({ ...input, probes: [health] });
  const sent = (effects: readonly Effect[]) =>
    effects.flatMap((effect) => (effect.do === 'send' ? [effect.event] : []));

  it('probes with the time-out of the file, each under a number of its own', () => {
    const [once] = checkSteps.ask(fresh, { role: 'health' });
    const [, effects] = checkSteps.ask(once, { role: 'health' });
    expect(effects).toMatchObject([{ do: 'drive', id: 'health:2', timeoutMs: 1_000, call: { op: 'run' } }]);
  });

  it("asks the container's own address, and none where there is none", () => {
    const value = checkValue({ ...input, probes: [tcp('readiness')] });
    const [, effects] = checkSteps.ask(value, { role: 'readiness' });
    expect(effects).toMatchObject([{ do: 'drive', call: { port: 'probes', args: { address: '10.1.0.2' } } }]);
    const { address: _, ...nowhere } = value;
    expect(checkSteps.ask(nowhere, { role: 'readiness' })[1]).toMatchObject([
      { do: 'schedule', event: { type: 'probe.failed' } },
    ]);
  });

  it.each([
    [{ value: { code: 0, output: 'fine' } }, [{ verdict: 'healthy' }]],
    [{ value: { code: 1, output: 'no' } }, []],
    [{ error: reason('HM-RUNTIME-TIMEOUT', 'too slow') }, []],
  ])('tells its slot of a verdict, %o', (answer, news) => {
    const [, effects] = checkSteps.judge(fresh, { at: 2_000, id: 'health:1', ...answer });
    expect(sent(effects)).toMatchObject(news);
  });

  it('says every verdict again: a slot that began anew has heard nothing', () => {
    const passed = { id: 'health:1', value: { code: 0, output: '' } };
    let [value, effects] = checkSteps.judge(fresh, { at: 2_000, ...passed });
    [value, effects] = checkSteps.judge(value, { at: 3_000, ...passed });
    expect(sent(effects)).toHaveLength(1);
    expect(pauseMs(value, health)).toBe(health.intervalMs);
  });

  it('hurries until the first pass, in the start period as the file says', () => {
    expect([1_000, 1_050, 1_400, 9_000].map((steadyAt) => pauseMs({ ...fresh, steadyAt }, health))).toEqual([
      limits.firstProbeMs,
      limits.firstProbeMs,
      400,
      limits.retryMs,
    ]);
    expect(pauseMs({ ...fresh, steadyAt: 5_000 }, { ...health, startIntervalMs: 3_000 })).toBe(3_000);
    expect(pauseMs(fresh, tcp('liveness'))).toBe(10_000);
  });

  it('the start-up probe is alone until it passes, and then asks no more', () => {
    const probes = [tcp('startup', { initialDelayMs: 500 }), tcp('liveness', { initialDelayMs: 2_000 })];
    const value = checkValue({ ...input, probes });
    expect(checkSteps.beginStartup(value, {})[1]).toMatchObject([{ token: 'startup', delayMs: 500 }]);
    expect(checkGuards.hasStarted(value)).toBe(false);
    const answer = { at: 1_700, id: 'startup:1', value: { passed: true, output: '' } };
    const [passed, effects] = checkSteps.judge(value, answer);
    expect(effects.map((effect) => effect.do)).toEqual(['send']);
    expect(checkGuards.hasStarted(passed)).toBe(true);
    expect(checkSteps.beginOthers(passed, { at: 1_700 })[1]).toMatchObject([
      { token: 'liveness', delayMs: 1_300 },
    ]);
  });

  it('what started in the future, by a clock that was set back since, waits no longer than its delay', () => {
    const probes = [tcp('liveness', { initialDelayMs: 2_000 })];
    const value = checkValue({ ...input, startedAt: 3_600_000, at: 1_000, probes });
    expect(checkSteps.beginOthers(value, {})[1]).toMatchObject([{ token: 'liveness', delayMs: 2_000 }]);
  });

  it.each([
    ['back', -3_600_000],
    ['ahead', 3_600_000],
  ])('a clock that is set %s does not change when failures count', (_what, byMs) => {
    const failed = { id: 'health:1', value: { code: 1, output: 'no' } };
    const endOf = (setMs: number): number => {
      let value = fresh;
      for (let ranMs = 500; ; ranMs += 500) {
        const at = 1_000 + ranMs + (ranMs > 2_000 ? setMs : 0);
        const [next, effects] = checkSteps.judge(value, { at, ...failed });
        value = next;
        if (sent(effects).some(({ verdict }) => verdict === 'unhealthy')) return ranMs;
      }
    };
    const turnMs = health.intervalMs + health.timeoutMs;
    expect(Math.abs(endOf(byMs) - endOf(0))).toBeLessThanOrEqual(2 * turnMs);
  });

  it('what started in an earlier life is not held back again', () => {
    const value = checkValue({
      ...input,
      startedUp: true,
      at: 90_000,
      probes: [tcp('startup'), tcp('readiness')],
    });
    expect(checkGuards.hasStarted(value)).toBe(true);
    expect(checkSteps.beginOthers(value, {})[1]).toMatchObject([{ token: 'readiness', delayMs: 0 }]);
  });

  it('a silent runtime says nothing about the container', () => {
    expect(checkGuards.saysNothing(fresh, { error: reason('HM-RUNTIME-DOWN') })).toBe(true);
    expect(checkGuards.saysNothing(fresh, { error: reason('HM-RUNTIME-TIMEOUT') })).toBe(false);
  });
});
