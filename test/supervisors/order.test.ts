/** In which order a family starts, stops and comes back; what a shutdown costs each kind of child. */
import { describe, expect, it } from 'vitest';
import type { ExitReason } from '../../protocols/supervision/child-spec.ts';
import { supervisor, worker } from '../../supervisors/child-spec.ts';
import { rig, type Rig } from '../kit/rig.ts';
import { workers } from '../kit/workers.ts';

/** Starts and ends, in order: `+/a1`, `-/a1 shutdown`. */
function story({ frames }: Rig): string[] {
  return frames.flatMap((frame) => {
    if (frame.type === 'actor.started') return [`+${frame.path}${frame.incarnation}`];
    if (frame.type === 'actor.stopped') return [`-${frame.path}${frame.incarnation} ${frame.exit.kind}`];
    return [];
  });
}

const steady = ['a', 'b', 'c'].map((id) => worker(id, 'worker'));

describe('order', () => {
  it('starts left to right, each once the one before is ready', async () => {
    const world = rig(supervisor('root', 'one_for_one', [worker('a', 'slow'), ...steady.slice(1)]), {
      machines: workers,
    });
    await world.clock.advance(60_000);
    expect(story(world)).toEqual(['+/1', '+/a1']);
    expect(world.kernel.directory.show('/')?.tags).toEqual([]);
    world.kernel.send('/a', { type: 'work.prepared' });
    await world.clock.settle();
    expect(story(world)).toEqual(['+/1', '+/a1', '+/b1', '+/c1']);
    expect(world.kernel.directory.show('/')?.tags).toEqual(['ready']);
  });

  it('starts dynamic children without waiting', async () => {
    const world = rig(supervisor('root', 'dynamic', [worker('a', 'slow'), ...steady.slice(1)]), {
      machines: workers,
    });
    await world.clock.settle();
    expect(world.living().toSorted()).toEqual(['/#1', '/a#1', '/b#1', '/c#1']);
    expect(world.kernel.directory.show('/')?.tags).toEqual(['ready']);
  });

  it('stops right to left, each once the one before is gone', async () => {
    const world = rig(supervisor('root', 'one_for_one', steady), { machines: workers });
    await world.clock.settle();
    world.frames.length = 0;
    const stopped = world.kernel.stop();
    await world.clock.settle();
    expect(story(world)).toEqual(['-/c1 shutdown', '-/b1 shutdown', '-/a1 shutdown', '-/1 shutdown']);
    expect(await stopped).toEqual({ kind: 'shutdown' });
  });

  it.each([
    ['one_for_all', ['-/b1 error', '-/c1 shutdown', '-/a1 shutdown', '+/a2', '+/b2', '+/c2']],
    ['rest_for_one', ['-/b1 error', '-/c1 shutdown', '+/b2', '+/c2']],
  ] as const)('%s goes down right to left and comes up left to right', async (strategy, expected) => {
    const world = rig(supervisor('root', strategy, steady), { machines: workers });
    await world.clock.settle();
    world.frames.length = 0;
    world.kernel.send('/b', { type: 'work.fail' });
    await world.clock.advance(1_000);
    expect(story(world)).toEqual(expected);
  });

  it('a group waits for who is slow to stop before anyone starts again', async () => {
    const children = [worker('a', 'worker'), worker('b', 'stubborn', {}, { shutdown: 3_000 })];
    const world = rig(supervisor('root', 'one_for_all', children), { machines: workers });
    await world.clock.settle();
    world.frames.length = 0;
    world.kernel.send('/a', { type: 'work.fail' });
    await world.clock.advance(2_999);
    expect(story(world)).toEqual(['-/a1 error']);
    await world.clock.advance(1);
    expect(story(world)).toEqual(['-/a1 error', '-/b1 killed', '+/a2', '+/b2']);
  });

  it('a temporary sibling that never started still starts after a group restart', async () => {
    const children = [worker('a', 'slow'), worker('b', 'worker', {}, { restart: 'temporary' })];
    const world = rig(supervisor('root', 'one_for_all', children), { machines: workers });
    await world.clock.settle();
    world.kernel.send('/a', { type: 'work.fail' });
    await world.clock.advance(1_000);
    world.kernel.send('/a', { type: 'work.prepared' });
    await world.clock.settle();
    expect(world.living()).toEqual(['/#1', '/a#2', '/b#1']);
  });

  it('a temporary sibling does not come back from a group restart', async () => {
    const children = [
      worker('a', 'slow'),
      worker('b', 'worker', {}, { restart: 'temporary' }),
      worker('c', 'worker'),
    ];
    const world = rig(supervisor('root', 'one_for_all', children), { machines: workers });
    await world.clock.settle();
    world.kernel.send('/a', { type: 'work.prepared' });
    await world.clock.settle();
    expect(world.living()).toEqual(['/#1', '/a#1', '/b#1', '/c#1']);
    world.kernel.send('/c', { type: 'work.fail' });
    await world.clock.advance(1_000);
    world.kernel.send('/a', { type: 'work.prepared' });
    await world.clock.settle();
    expect(world.living()).toEqual(['/#1', '/a#2', '/c#2']);
  });
});

describe('shutdown', () => {
  const cases: [string, Parameters<typeof worker>[3], number, ExitReason['kind']][] = [
    ['worker', { shutdown: 3_000 }, 0, 'shutdown'],
    ['worker', { shutdown: 'infinity' }, 0, 'shutdown'],
    ['worker', { shutdown: 'brutal_kill' }, 0, 'killed'],
    ['deaf', { shutdown: 3_000 }, 0, 'shutdown'],
    ['stubborn', { shutdown: 3_000 }, 3_000, 'killed'],
    ['stubborn', { shutdown: 'brutal_kill' }, 0, 'killed'],
  ];
  it.each(cases)('%s with %o is gone after %d ms: %s', async (machine, options, afterMs, kind) => {
    const world = rig(supervisor('root', 'one_for_one', [worker('a', machine, {}, options)]), {
      machines: workers,
    });
    await world.clock.settle();
    void world.kernel.stop();
    if (afterMs > 0) {
      await world.clock.advance(afterMs - 1);
      expect(world.living()).toEqual(['/#1', '/a#1']);
      await world.clock.advance(1);
    } else await world.clock.settle();
    expect(world.living()).toEqual([]);
    expect(world.framesOf('actor.stopped')[0]).toMatchObject({ path: '/a', exit: { kind } });
    expect(world.clock.timers).toBe(0);
  });

  it('waits for ever for a child with infinity', async () => {
    const world = rig(
      supervisor('root', 'one_for_one', [worker('a', 'stubborn', {}, { shutdown: 'infinity' })]),
      { machines: workers },
    );
    await world.clock.settle();
    void world.kernel.stop();
    await world.clock.advance(3_600_000);
    expect(world.living()).toEqual(['/#1', '/a#1']);
  });

  it('stops all dynamic children at once', async () => {
    const children = ['a', 'b', 'c'].map((id) => worker(id, 'stubborn', {}, { shutdown: 1_000 }));
    const world = rig(supervisor('root', 'dynamic', children), { machines: workers });
    await world.clock.settle();
    void world.kernel.stop();
    await world.clock.advance(1_000);
    expect(world.living()).toEqual([]);
    expect(await world.kernel.exited).toEqual({ kind: 'shutdown' });
  });

  it('leaves nothing of a tree, whatever is under way', async () => {
    const inner = supervisor('inner', 'rest_for_one', [
      worker('x', 'worker'),
      worker('y', 'stubborn', {}, { shutdown: 500 }),
    ]);
    const world = rig(supervisor('root', 'one_for_one', [inner, supervisor('pool', 'dynamic'), ...steady]), {
      machines: workers,
    });
    await world.clock.settle();
    world.kernel.send('/pool', { type: 'child.start', spec: worker('p/1', 'worker') });
    const effects = [
      { do: 'schedule', token: 't', delayMs: 9_000, event: { type: 't.due' } },
      { do: 'watch', id: 'w', source: { of: 'actor', path: '/inner/x' } },
    ];
    world.kernel.send('/a', { type: 'work.do', effects });
    await world.clock.settle();
    world.kernel.send('/inner/x', { type: 'work.fail' });
    world.kernel.send('/b', { type: 'work.fail' });
    await world.clock.advance(50);
    void world.kernel.stop();
    await world.clock.advance(1_000);
    expect(await world.kernel.exited).toEqual({ kind: 'shutdown' });
    expect(world.kernel.directory.counters().actors).toBe(0);
    expect(world.clock.timers).toBe(0);
    expect(world.clock.busy).toBe(false);
  });

  it('a supervisor that is killed takes its whole subtree along', async () => {
    const inner = supervisor('inner', 'one_for_one', [supervisor('deep', 'one_for_one', steady)], {
      shutdown: 'brutal_kill',
    });
    const world = rig(supervisor('root', 'dynamic', [inner]), { machines: workers });
    await world.clock.settle();
    expect(world.living()).toHaveLength(6);
    world.kernel.send('/', { type: 'child.stop', id: 'inner' });
    await world.clock.settle();
    expect(world.living()).toEqual(['/#1']);
    // Orphans would not show in the tree.
    expect(world.kernel.directory.counters().actors).toBe(1);
    expect(story(world).filter((line) => line.endsWith('killed'))).toHaveLength(5);
    expect(world.clock.timers).toBe(0);
  });
});
