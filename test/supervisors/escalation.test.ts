/** How many failures a supervisor bears, when it tries again, and what becomes of one failure too many. */
import { describe, expect, it } from 'vitest';
import type { Backoff, ChildSpec } from '../../protocols/supervision/child-spec.ts';
import { supervisor, worker } from '../../supervisors/child-spec.ts';
import { incarnation, rig, type Rig } from '../kit/rig.ts';
import { workers } from '../kit/workers.ts';

const prompt: Backoff = { minMs: 10, maxMs: 10, factor: 1, jitter: 0, resetAfterMs: 1_000 };
const intensity = { restarts: 3, periodMs: 10_000 };

async function fail(world: Rig, path: string, everyMs = 100): Promise<void> {
  world.kernel.send(path, { type: 'work.fail', text: 'as told' });
  await world.clock.advance(everyMs);
}

function family(child: Partial<ChildSpec> = {}): Rig {
  const a = { ...worker('a', 'worker', {}, { backoff: prompt }), ...child };
  return rig(supervisor('root', 'one_for_one', [a, worker('b', 'worker')], { intensity }), {
    machines: workers,
  });
}

describe('intensity', () => {
  it('bears exactly as many restarts as it says', async () => {
    const world = family();
    await world.clock.settle();
    for (let failures = 1; failures <= 3; failures += 1) {
      await fail(world, '/a');
      expect(incarnation(world, '/a')).toBe(failures + 1);
    }
    await fail(world, '/a');
    expect(world.living()).toEqual([]);
    expect(await world.kernel.exited).toEqual({
      kind: 'error',
      message: 'more than 3 restarts in 10000 ms; last was a: as told',
    });
    expect(
      world.framesOf('supervisor.decided').map(({ decision, restarts }) => [decision, restarts]),
    ).toEqual([
      ['restart', 1],
      ['restart', 2],
      ['restart', 3],
      ['escalate', 3],
    ]);
    expect(world.clock.timers).toBe(0);
  });

  it('forgets what is older than its period', async () => {
    const world = family();
    await world.clock.settle();
    for (let failures = 1; failures <= 20; failures += 1) await fail(world, '/a', 3_334);
    expect(incarnation(world, '/a')).toBe(21);
  });

  it('counts a failed start like any other failure', async () => {
    const world = family({ machine: 'missing' });
    await world.clock.advance(1_000);
    expect(await world.kernel.exited).toMatchObject({
      kind: 'error',
      message: expect.stringContaining('no machine is named "missing"'),
    });
    expect(world.framesOf('actor.crashed').map(({ incarnation: life }) => life)).toEqual([1, 2, 3, 4]);
    // b waited for a, which never was ready.
    expect(world.framesOf('actor.started').map(({ path }) => path)).toEqual(['/']);
  });

  it('does not count who need not come back', async () => {
    const world = rig(supervisor('root', 'dynamic', [], { intensity }), { machines: workers });
    await world.clock.settle();
    for (let run = 0; run < 10; run += 1) {
      const spec = worker(`t${run}`, 'worker', {}, { restart: 'temporary' });
      world.kernel.send('/', { type: 'child.start', spec });
      await world.clock.settle();
      await fail(world, `/t${run}`);
    }
    expect(world.living()).toEqual(['/#1']);
    expect(world.framesOf('supervisor.decided').map(({ decision }) => decision)).toEqual(
      Array.from({ length: 10 }, () => 'forget'),
    );
  });

  it('rises from level to level to the root', async () => {
    const innermost = supervisor('in', 'one_for_one', [worker('a', 'worker', {}, { backoff: prompt })], {
      intensity: { restarts: 1, periodMs: 60_000 },
      backoff: prompt,
    });
    const middle = supervisor('mid', 'one_for_one', [innermost], {
      intensity: { restarts: 1, periodMs: 60_000 },
      backoff: prompt,
    });
    const world = rig(
      supervisor('root', 'one_for_one', [middle], { intensity: { restarts: 1, periodMs: 60_000 } }),
      { machines: workers },
    );
    await world.clock.settle();
    // 2 failures end `in`, 2 ends of `in` end `mid`, 2 ends of `mid` end the root.
    const lives: number[][] = [];
    for (let failures = 1; failures <= 8; failures += 1) {
      lives.push((['/mid', '/mid/in', '/mid/in/a'] as const).map((path) => incarnation(world, path)));
      await fail(world, '/mid/in/a');
    }
    expect(lives).toEqual([
      [1, 1, 1],
      [1, 1, 2],
      [1, 2, 3],
      [1, 2, 4],
      [2, 3, 5],
      [2, 3, 6],
      [2, 4, 7],
      [2, 4, 8],
    ]);
    expect(await world.kernel.exited).toMatchObject({ kind: 'error' });
    expect(world.living()).toEqual([]);
  });
});

describe('backoff', () => {
  it('doubles per child, and a long life sets it back', async () => {
    const backoff = { minMs: 100, maxMs: 500, factor: 2, jitter: 0, resetAfterMs: 5_000 };
    const children = ['a', 'b'].map((id) => worker(id, 'worker', {}, { backoff }));
    const world = rig(
      supervisor('root', 'one_for_one', children, { intensity: { restarts: 100, periodMs: 1_000 } }),
      { machines: workers },
    );
    await world.clock.settle();
    for (let round = 0; round < 4; round += 1) await fail(world, '/a', 600);
    await fail(world, '/b', 600);
    await world.clock.advance(5_000);
    await fail(world, '/a', 600);
    const delays = world.framesOf('supervisor.decided').map(({ child, delayMs }) => [child, delayMs]);
    expect(delays).toEqual([
      ['a', 100],
      ['a', 200],
      ['a', 400],
      ['a', 500],
      ['b', 100],
      ['a', 100],
    ]);
  });
});
