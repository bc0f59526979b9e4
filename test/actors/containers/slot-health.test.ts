/** The slot's chart under the real kernel: probes, crash loops, jobs. */
import { afterEach, expect, it } from 'vitest';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import { limits } from '../../../protocols/limits.ts';
import { assignmentEntry } from '../../../protocols/containers/slot/value.ts';
import { containerPath } from '../../../protocols/wire/paths.ts';
import { assignment, Bench, keyOf, running, slot } from './bench.ts';

let bench: Bench;
afterEach(async () => {
  bench.world.kernel.halt();
  await bench.clock.settle();
});

/** Time passes until the slot says that it is there, at most a minute. */
async function until(phase: SlotStatus['phase']): Promise<void> {
  for (let step = 0; step < 600 && bench.last().phase !== phase; step += 1) await bench.clock.advance(100);
  expect(bench.last().phase).toBe(phase);
}

it('a liveness probe that fails restarts it, and the chain is told; a readiness probe withdraws it alone', async () => {
  const every = { initialDelayMs: 0, intervalMs: 2_000, timeoutMs: 1_000, successes: 1, failures: 2 };
  const exec = (command: string) => ({ action: { type: 'exec', command: [command] } as const, ...every });
  bench = await running({ probes: { readiness: exec('ready'), liveness: exec('alive') } });
  expect(bench.last().readiness).toBe('ready');
  bench.sick.add('ready');
  await bench.clock.advance(5_000);
  expect(bench.last()).toMatchObject({
    readiness: 'unready',
    restarts: 0,
    reason: { code: 'HM-HEALTH-UNREADY' },
  });
  bench.sick.clear();
  await bench.clock.advance(2_000);
  expect(bench.last()).toMatchObject({ readiness: 'ready', run: 1 });
  bench.sick.add('alive');
  await until('backoff');
  expect(bench.last()).toMatchObject({ restarts: 1 });
  expect(bench.last().reason).toMatchObject({
    code: 'HM-HEALTH-FAILED',
    message: 'the liveness probe (alive) failed 2 times in a row: checked',
    evidence: { probe: 'liveness', failures: 2, restarts: '1, without limit' },
  });
  expect(bench.news()).toEqual([
    'container.started',
    'health.passed',
    'health.unready',
    'health.passed',
    'health.failed',
    'container.restarting',
    'container.stopping',
  ]);
  await bench.reboot();
  expect(bench.last().reason?.code).toBe('HM-HEALTH-FAILED');
});

it('a start-up probe holds the others back', async () => {
  const every = { initialDelayMs: 0, intervalMs: 1_000, timeoutMs: 500, successes: 1 };
  const exec = (command: string) => ({ type: 'exec', command: [command] }) as const;
  const fresh = new Bench();
  fresh.sick.add('up').add('alive');
  const probes = {
    startup: { action: exec('up'), ...every, failures: 30 },
    liveness: { action: exec('alive'), ...every, failures: 1 },
  };
  fresh.journal.set(assignmentEntry(slot), assignment(1, { probes }));
  bench = await fresh.start();
  await bench.clock.advance(20_000);
  expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'starting', run: 1 });
  bench.sick.delete('up');
  await until('backoff');
  expect(bench.last().restarts).toBe(1);
});

it('a crash loop is told as such, with the next start, and is over after a stable time', async () => {
  bench = await running();
  for (const run of [1, 2, 3]) {
    await bench.exit(keyOf(1, run), 7);
    if (run < 3) await bench.clock.advance(2_000);
  }
  expect(bench.last()).toMatchObject({
    phase: 'backoff',
    restarts: 3,
    reason: { code: 'HM-CRASH-LOOP', message: 'the process exited with code 7, 3 times in a row' },
  });
  expect(bench.last().nextStartAt).toBe(bench.clock.now() + 2_000);
  expect(bench.news().filter((type) => type === 'container.crash-loop')).toHaveLength(1);
  await bench.clock.advance(2_500);
  // Also while the next run starts: nobody who asks then hears that nothing is wrong.
  expect(bench.story().slice(-3)).toEqual([
    'backoff HM-CRASH-LOOP',
    'starting HM-CRASH-LOOP',
    expect.not.stringContaining('HM-'),
  ]);
  expect(bench.news()).not.toContain('container.stable');
  await bench.clock.advance(60_000);
  expect(bench.news()).toContain('container.stable');
  await bench.exit(keyOf(1, 4), 7);
  expect(bench.last()).toMatchObject({ reason: { code: 'HM-CONTAINER-EXIT' } });
});

it('a crash loop goes on where a run only seemed to last: its end was not heard of', async () => {
  bench = await running();
  for (const run of [1, 2, 3]) {
    await bench.exit(keyOf(1, run), 7);
    await bench.clock.advance(2_500);
  }
  await bench.clock.advance(limits.backoffResetMs / 2);
  const exit = bench.end(keyOf(1, 4), 7);
  await bench.clock.advance(limits.backoffResetMs);
  await bench.send(containerPath(keyOf(1, 4)), { type: 'runtime.exited', exit });
  expect(bench.last()).toMatchObject({ phase: 'backoff', reason: { evidence: { failures: 4 } } });
});

it.each([
  [0, 'completed', 1],
  [1, 'failed', 3],
] as const)('a job that ends with code %d: %s after %d runs', async (code, phase, runs) => {
  bench = await running({ mode: 'replicated-job', restart: { condition: 'always', maxAttempts: 2 } });
  for (let run = 1; run <= runs; run += 1) {
    await bench.exit(keyOf(1, run), code);
    await bench.clock.advance(3_000);
  }
  expect(bench.last()).toMatchObject({ phase, run: runs });
});

const checked = { test: ['true'], intervalMs: 5_000, timeoutMs: 1_000, retries: 2, startPeriodMs: 0 };

it('a job that has ended unheard, and is found dead by its probe, has completed', async () => {
  bench = await running({ mode: 'replicated-job', healthcheck: checked });
  bench.end(keyOf(1), 0);
  bench.healthy = false;
  await bench.clock.advance(60_000);
  expect(bench.last()).toMatchObject({ phase: 'completed', run: 1, lastExit: { code: 0 } });
  expect(bench.calls.filter((call) => /signal|kill/.test(call))).toEqual([]);
});

it('nothing is ended that the runtime does not show: it is out of service, and looked at until there is an answer', async () => {
  bench = await running({ healthcheck: checked });
  bench.refuse.set('containers.inspect', 'HM-RUNTIME-DOWN');
  bench.healthy = false;
  await bench.clock.advance(60_000);
  expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'unhealthy', run: 1 });
  bench.refuse.clear();
  await bench.clock.advance(6_000);
  expect(bench.last().restarts).toBe(1);
});
