/** What a supervisor does on request, and what it answers. */
import { describe, expect, it } from 'vitest';
import type { Message } from '../../protocols/effects.ts';
import type { Strategy } from '../../protocols/supervision/child-spec.ts';
import { supervisor, worker } from '../../supervisors/child-spec.ts';
import { incarnation, rig } from '../kit/rig.ts';
import { workers } from '../kit/workers.ts';

async function family(strategy: Strategy, ids: readonly string[] = []) {
  const children = ids.map((id) => worker(id, 'worker'));
  const world = rig(supervisor('root', strategy, children), { machines: workers });
  await world.clock.settle();
  return {
    ...world,
    ask: async (message: Message, withinMs = 0) => {
      const answer = world.kernel.ask('/', message);
      // A refusal is looked at below; until then it is not unhandled.
      answer.catch(() => {});
      await world.clock.advance(withinMs);
      return answer;
    },
  };
}

describe('child.start', () => {
  it('starts what is new, and says so when it lives already', async () => {
    const world = await family('dynamic');
    const start = { type: 'child.start', spec: worker('shop/web.1', 'worker', { slot: 1 }) };
    expect(await world.ask(start)).toEqual({ started: true });
    expect(await world.ask(start)).toEqual({ started: false });
    expect(world.living()).toEqual(['/#1', '/shop/web.1#1']);
  });

  it('says no while it waits for its backoff', async () => {
    const world = await family('dynamic', ['a']);
    world.kernel.send('/a', { type: 'work.fail' });
    expect(await world.ask({ type: 'child.start', spec: worker('a', 'worker') })).toEqual({ started: false });
    await world.clock.advance(1_000);
    expect(world.living()).toEqual(['/#1', '/a#2']);
  });

  it('appends to an ordered family', async () => {
    const world = await family('rest_for_one', ['a']);
    expect(await world.ask({ type: 'child.start', spec: worker('b', 'worker') })).toEqual({ started: true });
    world.kernel.send('/a', { type: 'work.fail' });
    await world.clock.advance(1_000);
    expect(world.living()).toEqual(['/#1', '/a#2', '/b#2']);
  });

  it('refuses a wrong specification and lives on', async () => {
    const world = await family('dynamic');
    await expect(world.ask({ type: 'child.start', spec: { id: 'a#1' } })).rejects.toMatchObject({
      reason: { code: 'HM-API-REQUEST', message: expect.stringContaining('id must be text') },
    });
    world.kernel.send('/', { type: 'child.start' });
    await world.clock.settle();
    expect(world.living()).toEqual(['/#1']);
  });
});

describe('child.stop', () => {
  it('answers once it is gone, and a dynamic child can be started anew', async () => {
    const world = await family('dynamic');
    await world.ask({ type: 'child.start', spec: worker('a', 'stubborn', {}, { shutdown: 2_000 }) });
    let stopped: unknown;
    void world.kernel.ask('/', { type: 'child.stop', id: 'a' }).then((answer) => (stopped = answer));
    await world.clock.advance(1_999);
    expect(stopped).toBeUndefined();
    await world.clock.advance(1);
    expect(stopped).toEqual({ stopped: true });
    expect(await world.ask({ type: 'child.stop', id: 'a' })).toEqual({ stopped: false });
    expect(await world.ask({ type: 'child.start', spec: worker('a', 'worker') })).toEqual({ started: true });
    expect(incarnation(world, '/a')).toBe(2);
  });

  it('keeps a permanent child of an ordered family down until it is restarted', async () => {
    const world = await family('one_for_one', ['a', 'b']);
    expect(await world.ask({ type: 'child.stop', id: 'a' })).toEqual({ stopped: true });
    await world.clock.advance(60_000);
    expect(world.living()).toEqual(['/#1', '/b#1']);
    expect(await world.ask({ type: 'child.restart', id: 'a' }, 1)).toEqual({ restarted: true });
    expect(world.living().toSorted()).toEqual(['/#1', '/a#2', '/b#1']);
  });

  it('leaves no deadline behind that could hit the next life', async () => {
    const world = await family('dynamic', ['a']);
    expect(await world.ask({ type: 'child.stop', id: 'a' })).toEqual({ stopped: true });
    expect(world.clock.timers).toBe(0);
  });

  it('ends a backoff', async () => {
    const world = await family('dynamic', ['a']);
    world.kernel.send('/a', { type: 'work.fail' });
    expect(await world.ask({ type: 'child.stop', id: 'a' })).toEqual({ stopped: true });
    expect(world.clock.timers).toBe(0);
    await world.clock.advance(60_000);
    expect(world.living()).toEqual(['/#1']);
  });
});

describe('child.restart', () => {
  it('gives a new incarnation without counting as a failure', async () => {
    const world = await family('one_for_one', ['a', 'b']);
    for (let round = 2; round <= 20; round += 1) {
      expect(await world.ask({ type: 'child.restart', id: 'a' }, 1)).toEqual({ restarted: true });
      expect(incarnation(world, '/a')).toBe(round);
    }
    expect(incarnation(world, '/b')).toBe(1);
    expect(await world.ask({ type: 'child.restart', id: 'nobody' })).toEqual({ restarted: false });
  });
});
