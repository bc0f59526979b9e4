/** What changes about a container that runs on: its limits follow the service, and a pause is seen, told and survives. */
import { afterEach, describe, expect, it } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import { paths, slotPath } from '../../../protocols/wire/paths.ts';
import { assignment, type Bench, keyOf, running, slot } from './bench.ts';

let bench: Bench;
afterEach(async () => {
  bench.world.kernel.halt();
  await bench.clock.settle();
});

const small = { resources: { limits: { memoryBytes: 1_000 } } };
const updates = () => bench.calls.filter((call) => call.startsWith('update'));

describe('limits', () => {
  it('that alone differ are given to the container that runs, once', async () => {
    bench = await running();
    const before = bench.calls.length;
    await bench.assign(assignment(1, small));
    await bench.clock.advance(60_000);
    expect(bench.calls.slice(before)).toEqual(['update 1.1.1 {"limits":{"memoryBytes":1000}}']);
    expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready', restarts: 0 });
    await bench.assign(assignment(1));
    expect(updates()).toEqual(['update 1.1.1 {"limits":{"memoryBytes":1000}}', 'update 1.1.1 {}']);
  });

  it('of a container that is being made are given as soon as it runs', async () => {
    bench = await running();
    await bench.exit(keyOf(1), 1);
    bench.hold('containers.start');
    await bench.clock.advance(2_000);
    await bench.assign(assignment(1, small));
    expect(updates()).toEqual([]);
    await bench.letGo('containers.start');
    await bench.clock.advance(100);
    expect(updates()).toEqual(['update 1.2.1 {"limits":{"memoryBytes":1000}}']);
  });

  it('that changed while the daemon was away are given after its start, and nothing when they did not', async () => {
    bench = await running();
    bench.journal.set('slots/shop/web.1|assignment', assignment(1, small));
    await bench.reboot();
    await bench.clock.advance(1_000);
    expect(bench.calls).toEqual(['inspect 1.1.1', 'update 1.1.1 {"limits":{"memoryBytes":1000}}']);
    await bench.reboot();
    await bench.clock.advance(1_000);
    expect(bench.calls).toEqual(['inspect 1.1.1']);
  });

  it('that the kernel refuses are told and tried again; the container runs on with those it has', async () => {
    bench = await running();
    await bench.clock.advance(limits.settleMs);
    bench.refuse.set('containers.update', 'HM-CONTAINER-UPDATE');
    await bench.assign(assignment(1, small));
    await bench.clock.advance(20_000);
    expect(bench.there()).toEqual(['1.1.1 running']);
    expect(bench.last()).toMatchObject({ readiness: 'ready', reason: { code: 'HM-CONTAINER-UPDATE' } });
    expect(bench.story().filter((word) => word.includes('UPDATE'))).toHaveLength(1);
    bench.refuse.clear();
    await bench.clock.advance(20_000);
    expect(updates()).toHaveLength(1);
    expect(bench.last().reason).toBeUndefined();
  });

  it('that were refused and taken back: those before are given again, and nothing is said any more', async () => {
    bench = await running();
    await bench.clock.advance(limits.settleMs);
    bench.refuse.set('containers.update', 'HM-CONTAINER-UPDATE');
    await bench.assign(assignment(1, small));
    await bench.clock.advance(1_000);
    expect(bench.last().reason?.code).toBe('HM-CONTAINER-UPDATE');
    bench.refuse.clear();
    await bench.assign(assignment(1));
    await bench.clock.advance(20_000);
    expect(updates()).toEqual(['update 1.1.1 {}']);
    expect(bench.last().reason).toBeUndefined();
  });
});

const health = { test: ['check'], intervalMs: 1_000, timeoutMs: 500, retries: 2, startPeriodMs: 0 };

describe('a pause', () => {
  it('withdraws the endpoint, is not probed, and ends where it began', async () => {
    bench = await running({ healthcheck: health });
    await bench.clock.advance(2_000);
    expect(bench.last().readiness).toBe('ready');
    await bench.pause(keyOf(1), true);
    bench.healthy = false;
    await bench.clock.advance(60_000);
    expect(bench.there()).toEqual(['1.1.1 paused']);
    expect(bench.last()).toMatchObject({ phase: 'running', paused: true, readiness: 'unready' });
    expect(bench.last().reason?.code).toBe('HM-CONTAINER-PAUSED');
    bench.healthy = true;
    await bench.pause(keyOf(1), false);
    await bench.clock.advance(2_000);
    expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready', restarts: 0 });
    expect(bench.last().paused).toBeUndefined();
    expect(bench.last().reason).toBeUndefined();
  });

  it('survives a restart of the daemon, also one that nobody saw', async () => {
    bench = await running();
    await bench.pause(keyOf(1), true, false);
    await bench.reboot();
    await bench.clock.advance(1_000);
    expect(bench.calls).toEqual(['inspect 1.1.1']);
    expect(bench.last()).toMatchObject({ paused: true, reason: { code: 'HM-CONTAINER-PAUSED' } });
    await bench.send(paths.slots, { type: 'child.restart', id: slot });
    await bench.clock.advance(2_000);
    expect(bench.last()).toMatchObject({ phase: 'running', paused: true });
    expect(bench.phase(slotPath(slot))).toBe('running.paused');
  });

  it('does not keep a new placement or a stop from happening', async () => {
    bench = await running();
    await bench.pause(keyOf(1), true);
    await bench.assign(assignment(2));
    await bench.clock.advance(10_000);
    expect(bench.there()).toEqual(['2.1.1 running']);
    expect(bench.last().paused).toBeUndefined();
  });
});
