/** When a run has settled, as the roll-out of its service needs it: by its time, by its check, after failures, over lives. */
import { afterEach, expect, it } from 'vitest';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import { limits } from '../../../protocols/limits.ts';
import { paths, slotPath } from '../../../protocols/wire/paths.ts';
import { assignment, type Bench, keyOf, running, slot } from './bench.ts';

let bench: Bench;
afterEach(async () => {
  bench.world.kernel.halt();
  await bench.clock.settle();
});
const settled = () => bench.last().settled ?? false;

it('what nothing probes has settled when it has run for so long, and only then', async () => {
  bench = await running();
  expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready' });
  expect(settled()).toBe(false);
  await bench.clock.advance(limits.settleMs - 1);
  expect(settled()).toBe(false);
  await bench.clock.advance(1);
  expect(settled()).toBe(true);
});

it('what a health check gates has settled when it is ready', async () => {
  bench = await running({
    healthcheck: { test: ['true'], intervalMs: 5_000, timeoutMs: 1_000, retries: 2, startPeriodMs: 0 },
  });
  await bench.clock.advance(500);
  expect(bench.last()).toMatchObject({ readiness: 'ready', settled: true });
});

it('a crash unsettles; after it, a run has to last longer', async () => {
  bench = await running();
  await bench.clock.advance(limits.settleMs);
  expect(settled()).toBe(true);
  await bench.exit(keyOf(1), 1);
  expect(bench.last()).toMatchObject({ phase: 'backoff' });
  expect(settled()).toBe(false);
  await bench.clock.advance(1_000);
  expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready', run: 2 });
  await bench.clock.advance(limits.settleAfterFailureMs - 2_000);
  expect(settled()).toBe(false);
  await bench.clock.advance(2_000);
  expect(settled()).toBe(true);
});

it('one that crashes sooner never settles, however often it is started', async () => {
  bench = await running();
  for (let run = 1; run <= 6; run++) {
    await bench.clock.advance(limits.settleMs - 500);
    await bench.exit(keyOf(1, run), 1);
    expect(bench.phase()).toBe('backoff');
    while (bench.phase() === 'backoff') await bench.clock.advance(100);
  }
  const told = bench.heard(paths.manager).map((event) => event['status'] as SlotStatus);
  expect(told.filter(({ readiness }) => readiness === 'ready').length).toBeGreaterThan(5);
  expect(told.some((status) => status.settled)).toBe(false);
});

it.each([
  ['the daemon', () => bench.reboot()],
  ['the slot’s actor', () => bench.send(paths.slots, { type: 'child.restart', id: slot })],
])('%s starts anew: the time that the run has been up counts', async (_, renew) => {
  bench = await running();
  await bench.clock.advance(limits.settleMs - 1_500);
  await renew();
  // The container is asked where it stands a second later.
  await bench.clock.advance(1_400);
  expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready', run: 1 });
  expect(settled()).toBe(false);
  await bench.clock.advance(100);
  expect(settled()).toBe(true);
  await renew();
  await bench.clock.advance(1_400);
  expect(bench.last()).toMatchObject({ run: 1, settled: true });
});

it('is told also when the manager has asked meanwhile', async () => {
  bench = await running();
  await bench.send(slotPath(slot), { type: 'slot.report' });
  await bench.clock.advance(limits.settleMs);
  expect(settled()).toBe(true);
  const { since } = bench.last();
  await bench.send(slotPath(slot), { type: 'slot.report' });
  expect(bench.last()).toMatchObject({ settled: true, since });
});

it('a pause does not settle it, and it has settled when it goes on', async () => {
  bench = await running();
  await bench.pause(keyOf(1), true);
  await bench.clock.advance(limits.settleMs);
  expect(bench.last()).toMatchObject({ paused: true, readiness: 'unready' });
  expect(settled()).toBe(false);
  await bench.pause(keyOf(1), false);
  expect(bench.last()).toMatchObject({ readiness: 'ready', settled: true });
});

it('a new placement has to settle anew', async () => {
  bench = await running();
  await bench.clock.advance(limits.settleMs);
  await bench.assign(assignment(2));
  await bench.clock.advance(200);
  expect(bench.last()).toMatchObject({ phase: 'running', placement: 2 });
  expect(settled()).toBe(false);
  await bench.clock.advance(limits.settleMs);
  expect(settled()).toBe(true);
});
