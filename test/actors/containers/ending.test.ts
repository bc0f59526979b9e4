/** Hooks and the end of a container under the real kernel, step by step, and through a restart of the daemon. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../../protocols/apps/model.ts';
import { assignmentEntry } from '../../../protocols/containers/slot/value.ts';
import { limits } from '../../../protocols/limits.ts';
import { containerPath, paths } from '../../../protocols/wire/paths.ts';
import { assignment, Bench, keyOf, running, slot } from './bench.ts';

let bench: Bench;
afterEach(async () => {
  bench.world.kernel.halt();
  await bench.clock.settle();
});

const path = containerPath(keyOf(1));
const hook = (command: string, timeoutMs?: number) => ({
  command: [command],
  ...(timeoutMs === undefined ? {} : { timeoutMs }),
});
const withdrawn = () => bench.send(path, { type: 'endpoint.withdrawn' });
const begun = async (more: Partial<ServiceSpec>, prepare: (fresh: Bench) => void = () => {}) => {
  const fresh = new Bench();
  fresh.journal.set(assignmentEntry(slot), assignment(1, more));
  prepare(fresh);
  return fresh.start();
};
const calls = () => bench.calls.filter((call) => !call.startsWith('inspect'));
const ends: Partial<ServiceSpec> = {
  probes: { drainMs: 3_000 },
  hooks: { preStop: [hook('hook-a'), hook('hook-b')] },
};

describe('the end', () => {
  it('withdraws, drains, runs the hooks, signals, and kills when the grace is over, each step told', async () => {
    bench = await running(ends);
    bench.heeds = false;
    await bench.terminate();
    expect(bench.phase(path)).toBe('withdrawing');
    expect(bench.heard(paths.registry)).toMatchObject([{ type: 'endpoint.withdraw', slot, to: path }]);
    await bench.clock.advance(500);
    await withdrawn();
    expect(bench.phase(path)).toBe('draining');
    // Of three seconds since the wish to end it, half a second is over.
    await bench.clock.advance(2_499);
    expect(calls()).toEqual(['create 1.1.1', 'start 1.1.1']);
    await bench.clock.advance(1);
    expect(calls().slice(2)).toEqual(['hook-a 1.1.1', 'hook-b 1.1.1', 'signal 1.1.1']);
    await bench.clock.advance(4_000);
    expect(calls().slice(5)).toEqual(['kill 1.1.1', 'remove 1.1.1']);
    expect(bench.news()).toEqual([
      ...['container.started', 'container.draining', 'hook.ran', 'hook.ran'],
      ...['container.stopping', 'container.killed', 'slot.removed'],
    ]);
  });

  it('does not wait for ever for names and ports', async () => {
    bench = await running(ends);
    await bench.terminate();
    await bench.clock.advance(limits.withdrawMs);
    expect(bench.phase(path)).toBe('draining');
  });

  it('what never served is not drained', async () => {
    const healthcheck = { test: ['true'], intervalMs: 5_000, timeoutMs: 1_000, retries: 9, startPeriodMs: 0 };
    bench = await begun({ ...ends, healthcheck }, (fresh) => (fresh.healthy = false));
    bench.healthy = false;
    await bench.terminate();
    expect(calls().slice(2)).toContain('signal 1.1.1');
  });

  it.each(['withdrawing', 'draining', 'preStopping'])('ends by itself while %s', async (phase) => {
    bench = await running(ends);
    if (phase === 'preStopping') bench.hold('containers.run');
    await bench.terminate();
    if (phase !== 'withdrawing') await withdrawn();
    if (phase === 'preStopping') await bench.clock.advance(3_000);
    expect(bench.phase(path)).toBe(phase);
    await bench.exit(keyOf(1), 0);
    expect(bench.there()).toEqual([]);
    expect(bench.story().at(-1)).toBe('gone');
  });

  it('a restart of the daemon goes on where the end was: what is left of the drain, and no hook twice', async () => {
    bench = await running(ends);
    await bench.terminate();
    await withdrawn();
    await bench.clock.advance(2_000);
    await bench.reboot();
    await withdrawn();
    await bench.clock.advance(999);
    expect(calls()).toEqual([]);
    bench.heeds = false;
    await bench.clock.advance(1);
    expect(calls()).toEqual(['hook-a 1.1.1', 'hook-b 1.1.1', 'signal 1.1.1']);
    await bench.reboot();
    await withdrawn();
    expect(calls()).toEqual(['signal 1.1.1']);
  });

  it('one of an older placement ends as its own specification says, also after a restart of the daemon', async () => {
    bench = await running({ ...ends, probes: { drainMs: 1_000 }, stopGraceMs: 7_000 });
    bench.hold('journal.append');
    bench.journal.set(assignmentEntry(slot), assignment(2, { stopGraceMs: 1_000 }));
    bench.heeds = false;
    await bench.reboot();
    await withdrawn();
    await bench.clock.advance(1_000);
    expect(calls()).toEqual(['hook-a 1.1.1', 'hook-b 1.1.1', 'signal 1.1.1']);
    await bench.clock.advance(6_999);
    expect(calls()).toHaveLength(3);
    await bench.clock.advance(1);
    expect(calls()[3]).toBe('kill 1.1.1');
  });

  it('a pre-stop hook that fails or hangs is told and passed over', async () => {
    bench = await running({ hooks: { preStop: [hook('hook-bad'), hook('hook-slow', 1_500)] } });
    bench.sick.add('hook-bad');
    await bench.terminate();
    await bench.clock.advance(0);
    expect(bench.there()).toEqual([]);
    expect(bench.news()).toContain('hook.failed');
    bench.world.kernel.halt();
    bench = await running({ hooks: { preStop: [hook('hook-slow', 1_500)] } });
    bench.hold('containers.run');
    await bench.terminate();
    await bench.clock.advance(1_499);
    expect(calls()).not.toContain('signal 1.1.1');
    await bench.clock.advance(5);
    expect(calls()).toContain('signal 1.1.1');
    expect(bench.world.events.find((event) => event.type === 'hook.failed')?.message).toContain('in time');
  });
});

describe('post-start hooks', () => {
  const starts: Partial<ServiceSpec> = { hooks: { postStart: [hook('hook-a'), hook('hook-b')] } };

  it('run once after the start, in order, before it counts as started', async () => {
    bench = await begun(starts, (fresh) => fresh.hold('containers.run'));
    expect(bench.last()).toMatchObject({ phase: 'starting' });
    await bench.letGo('containers.run');
    expect(calls()).toEqual(['create 1.1.1', 'start 1.1.1', 'hook-a 1.1.1', 'hook-b 1.1.1']);
    expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready' });
    await bench.reboot();
    await bench.clock.advance(5_000);
    expect(calls()).toEqual([]);
    expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready', run: 1 });
  });

  it('one that fails stops the container and counts as a failed run', async () => {
    bench = await begun(starts, (fresh) => fresh.sick.add('hook-b'));
    expect(bench.last()).toMatchObject({ restarts: 1, reason: { code: 'HM-HOOK-FAILED' } });
    expect(calls().slice(4)).toEqual(['signal 1.1.1', 'remove 1.1.1']);
    bench.sick.clear();
    await bench.clock.advance(2_000);
    expect(bench.last()).toMatchObject({ phase: 'running', run: 2 });
  });

  it('under `restart: no` it has failed, and is stopped, also by a daemon that starts anew', async () => {
    bench = await begun({ ...starts, restart: { condition: 'none' } }, (fresh) => {
      fresh.sick.add('hook-a');
      fresh.heeds = false;
    });
    expect(bench.there()).toEqual(['1.1.1 running']);
    await bench.reboot();
    expect(calls()).toEqual(['signal 1.1.1']);
    await bench.clock.advance(5_000);
    expect(bench.there()).toEqual([]);
    expect(bench.last()).toMatchObject({ phase: 'failed', reason: { code: 'HM-HOOK-FAILED' } });
  });

  it('a silent runtime says nothing about the hook: it is run when it answers', async () => {
    bench = await begun(starts, (fresh) => fresh.refuse.set('containers.run', 'HM-RUNTIME-DOWN'));
    await bench.clock.advance(5_000);
    expect(bench.last()).toMatchObject({ phase: 'starting', restarts: 0 });
    bench.refuse.clear();
    await bench.clock.advance(1_000);
    expect(bench.last()).toMatchObject({ phase: 'running', run: 1 });
  });

  it('a process that ends in the middle of them has exited', async () => {
    bench = await begun(starts, (fresh) => fresh.hold('containers.run'));
    await bench.exit(keyOf(1), 3);
    expect(bench.last()).toMatchObject({ phase: 'backoff', lastExit: { code: 3 } });
  });

  it('a daemon that starts anew in the middle of them runs them again, and the container stays', async () => {
    bench = await begun(starts, (fresh) => fresh.hold('containers.run'));
    await bench.reboot();
    expect(calls()).toEqual(['hook-a 1.1.1', 'hook-b 1.1.1']);
    expect(bench.last()).toMatchObject({ phase: 'running', run: 1 });
  });

  it('a stop in the middle of them is a stop', async () => {
    bench = await begun(starts, (fresh) => fresh.hold('containers.run'));
    await bench.terminate();
    expect(bench.there()).toEqual([]);
  });
});
