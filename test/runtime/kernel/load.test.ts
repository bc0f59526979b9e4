/** Many actors at once: storms that leave the event loop its turns, and a start that costs the same at any size. Work is counted, never timed. */
import { describe, expect, it } from 'vitest';
import type { Backoff } from '../../../protocols/supervision/child-spec.ts';
import { foundFamily, type Family } from '../../../protocols/supervision/children.ts';
import { familySteps } from '../../../protocols/supervision/family-steps.ts';
import { limits } from '../../../protocols/limits.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { rig, SluggishClock, type Rig } from '../../kit/rig.ts';
import { workers } from '../../kit/workers.ts';

const backoff: Backoff = { minMs: 50, maxMs: 50, factor: 1, jitter: 0, resetAfterMs: 1_000 };
const intensity = { restarts: 1_000_000, periodMs: 1_000 };

/** How many frames pass between two turns of somebody else on the event loop: the longest run. */
function probe(world: Rig): { stop(): { longest: number; looks: number } } {
  let on = true;
  let looks = 0;
  let seen = world.frames.length;
  let longest = 0;
  const look = () => {
    looks += 1;
    longest = Math.max(longest, world.frames.length - seen);
    seen = world.frames.length;
    if (on) world.clock.defer(look);
  };
  look();
  return {
    stop: () => {
      on = false;
      return { longest, looks };
    },
  };
}

/** A turn makes at most a few frames: what it did, an exit, a decision. */
const framesPerTurn = 4;

describe('a storm', () => {
  it('of 1,000 restarts starves nobody', async () => {
    const children = Array.from({ length: 1_000 }, (_, n) => worker(`c${n}`, 'worker', {}, { backoff }));
    const world = rig(supervisor('root', 'dynamic', children, { intensity }), {
      machines: workers,
      clock: new SluggishClock(),
    });
    await world.clock.advance(1_000);
    for (let n = 0; n < 1_000; n += 1) world.kernel.send(`/c${n}`, { type: 'work.fail' });
    const before = world.frames.length;
    const probing = probe(world);
    await world.clock.advance(1_000);
    const { longest, looks } = probing.stop();
    const { crashes, restarts } = world.kernel.directory.counters();
    expect([crashes, restarts]).toEqual([1_000, 1_000]);
    expect(world.living()).toHaveLength(1_001);
    // Crash, end, decision and exit of each; then its due, its start, and both news of it.
    expect(world.frames.length - before).toBe(8_000);
    expect(longest).toBeLessThanOrEqual(limits.sliceMessages * framesPerTurn);
    expect(looks).toBeGreaterThan(20);
  });

  it('of messages between two actors starves nobody', async () => {
    const world = rig(supervisor('root', 'dynamic', [worker('a', 'worker'), worker('b', 'worker')]), {
      machines: workers,
    });
    await world.clock.settle();
    const bounce = (n: number): object =>
      n === 0
        ? { type: 'over' }
        : { type: 'work.do', effects: [{ do: 'send', to: n % 2 ? '/a' : '/b', event: bounce(n - 1) }] };
    // The probe always has something to run, so time stands still.
    const probing = probe(world);
    world.kernel.send('/b', bounce(2_000) as never);
    for (let turn = 0; turn < 100; turn += 1) world.clock.step();
    expect(probing.stop().longest).toBeLessThanOrEqual(limits.sliceMessages);
    expect(world.kernel.directory.counters().delivered).toBeGreaterThan(2_000);
  });
});

describe('5,000 dynamic children', () => {
  it('live and end under one supervisor', async () => {
    const world = rig(supervisor('root', 'dynamic', [], { intensity }), { machines: workers });
    await world.clock.settle();
    for (let n = 0; n < 5_000; n += 1) {
      world.kernel.send('/', { type: 'child.start', spec: worker(`slot/${n}`, 'worker') });
      if (n % 500 === 499) await world.clock.settle();
    }
    expect(world.kernel.directory.counters().actors).toBe(5_001);
    void world.kernel.stop();
    await world.clock.settle();
    expect(await world.kernel.exited).toEqual({ kind: 'shutdown' });
    expect(world.kernel.directory.counters().actors).toBe(0);
    expect(world.clock.timers).toBe(0);
  });

  it('cost O(1) a start: what an update makes anew does not grow with the family', () => {
    let family: Family = foundFamily({ self: '/', strategy: 'dynamic', children: [], intensity });
    const fresh: Record<number, number> = {};
    for (let n = 1; n <= 5_000; n += 1) {
      const [next] = familySteps.startChild(family, {
        type: 'child.start',
        spec: worker(`slot/${n}`, 'worker'),
      });
      if ([10, 100, 1_000, 5_000].includes(n)) fresh[n] = newParts(family, next);
      family = next;
    }
    expect(family.children.size).toBe(5_000);
    // At most: a node of 16 branches a level, a leaf of 16, and the child itself.
    for (const parts of Object.values(fresh)) expect(parts).toBeLessThan(120);
  });
});

/** Slots of objects that are in `after` and not in `before`: what had to be written. */
function newParts(before: object, after: object): number {
  const old = new Set<unknown>();
  const collect = (value: unknown) => {
    if (typeof value !== 'object' || value === null || old.has(value)) return;
    old.add(value);
    Object.values(value).forEach(collect);
  };
  collect(before);
  let slots = 0;
  const count = (value: unknown) => {
    if (typeof value !== 'object' || value === null || old.has(value)) return;
    slots += Object.keys(value).length;
    Object.values(value).forEach(count);
  };
  count(after);
  return slots;
}
