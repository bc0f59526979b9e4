/** Virtual time keeps the order of real time, and skips only what is empty. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';

describe('HeapClock', () => {
  it('fires a repeating timer once per period', async () => {
    const clock = new HeapClock(0);
    const fired: number[] = [];
    const again = () => {
      fired.push(clock.now());
      clock.setTimer(100, again);
    };
    clock.setTimer(100, again);
    await clock.advance(1_000);
    expect(fired).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]);
  });

  it('fires in order of deadline, then of setting, and never what was cleared', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(50), fc.boolean()), { maxLength: 60 }), async (plan) => {
        const clock = new HeapClock(0);
        const fired: [number, number][] = [];
        const timers = plan.map(([delayMs], index) =>
          clock.setTimer(delayMs, () => fired.push([clock.now(), index])),
        );
        plan.forEach(([, cleared], index) => cleared && clock.clearTimer(timers[index]));
        const kept = plan.flatMap(([delayMs, cleared], index) =>
          cleared ? [] : [[delayMs, index] as [number, number]],
        );
        expect(clock.timers).toBe(kept.length);
        await clock.advance(50);
        expect(fired).toEqual(kept.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
        expect(clock.timers).toBe(0);
      }),
    );
  });

  it('moves on after any delay that is not none, however late it is', async () => {
    const clock = new HeapClock(0);
    await clock.advance(365 * 86_400_000);
    const from = clock.monotonicMs();
    clock.setTimer(1e-11, () => {});
    clock.step();
    expect(clock.monotonicMs()).toBeGreaterThan(from);
  });

  it('runs deferred work and settled promises before time moves', async () => {
    const clock = new HeapClock(0);
    const seen: string[] = [];
    clock.setTimer(1, () => seen.push('timer'));
    clock.defer(() => {
      seen.push('deferred');
      void Promise.resolve().then(() => clock.defer(() => seen.push(`after a promise at ${clock.now()}`)));
    });
    await clock.advance(5);
    expect(seen).toEqual(['deferred', 'after a promise at 0', 'timer']);
    expect(clock.now()).toBe(5);
  });
});

describe('seededRandom', () => {
  it('replays a seed, tells seeds apart, and stays in [0, 1)', () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 1_000 }, () => random.next());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    const numbers = draw(42);
    expect(numbers.every((n) => n >= 0 && n < 1)).toBe(true);
    const mean = numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
    expect(mean).toBeGreaterThan(0.45);
    expect(mean).toBeLessThan(0.55);
    expect(seededRandom(1).hex(8)).toMatch(/^[0-9a-f]{16}$/);
  });
});
