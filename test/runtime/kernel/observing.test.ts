/** What can be seen of a kernel: the tree, contexts without secrets, transcripts, frames; and how a kernel dies. */
import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import { perform } from '../../../actors/decide.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import { limits } from '../../../protocols/limits.ts';
import { createKernel } from '../../../runtime/kernel/kernel.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { supervisorMachine } from '../../../supervisors/supervisor.machine.ts';
import { rig } from '../../kit/rig.ts';
import { workers } from '../../kit/workers.ts';

const keeper = setup({ types: {} as { context: object; input: object; tags: 'ready' } }).createMachine({
  context: ({ input }) => ({
    input,
    list: [{ environment: { KEY: 'hidden-1' } }],
    deep: { token: 'hidden-2', name: 'open' },
  }),
  initial: 'on',
  states: { on: { tags: 'ready' } },
});

describe('directory', () => {
  it('shows parents before children, in start order', async () => {
    const inner = supervisor('in', 'one_for_one', [worker('x', 'worker'), worker('y', 'worker')]);
    const world = rig(supervisor('root', 'one_for_one', [inner, worker('z', 'worker')]), {
      machines: workers,
    });
    await world.clock.advance(10);
    const tree = world.kernel.directory.tree();
    expect(tree.map(({ path }) => path)).toEqual(['/', '/in', '/in/x', '/in/y', '/z']);
    expect(tree[1]).toEqual({
      path: '/in',
      address: 'hive://n1/in#1.1',
      machine: 'supervisor',
      phase: 'running',
      tags: ['ready'],
      mailbox: 0,
      processed: 4,
      restarts: 0,
      startedAt: world.clock.now() - 10,
      parent: '/',
      children: ['/in/x', '/in/y'],
    });
  });

  it('masks what stands under a telling key, in contexts and frames', async () => {
    const input = { env: ['A=hidden-3'], password: 'hidden-4', secrets: { db: 'hidden-5' } };
    const world = rig(supervisor('root', 'one_for_one', [worker('a', 'keeper', input)]), {
      machines: { keeper },
    });
    await world.clock.settle();
    const shown = world.kernel.directory.show('/a');
    expect(shown?.context).toMatchObject({
      deep: { token: '[masked]', name: 'open' },
      input: { env: '[masked]' },
    });
    const all = JSON.stringify([shown, world.kernel.directory.show('/'), world.frames, world.transcript()]);
    expect(all).not.toContain('hidden');
    expect(world.kernel.directory.show('/nobody')).toBeUndefined();
  });
});

describe('transcript', () => {
  it('reads as one line a transition', async () => {
    const machine = setup({ types: {} as { tags: 'ready' }, actions: { perform } }).createMachine({
      id: 'door',
      initial: 'closed',
      states: {
        closed: {
          tags: 'ready',
          on: {
            'door.open': {
              target: 'open',
              actions: {
                type: 'perform',
                params: { effects: [{ do: 'send', to: '/bell', event: { type: 'bell.ring' } }] },
              },
            },
          },
        },
        open: { after: { 5000: 'closed' } },
      },
    });
    const world = rig(
      supervisor('root', 'one_for_one', [
        worker('door', 'door'),
        worker('bell', 'worker', {}, { shutdown: 'brutal_kill' }),
      ]),
      { machines: { ...workers, door: machine } },
    );
    await world.clock.settle();
    world.frames.length = 0;
    world.kernel.send('/door', { type: 'door.open' });
    await world.clock.advance(5_000);
    world.kernel.send('/door', { type: 'door.lock' });
    world.kernel.send('/bell', { type: 'work.fail', text: 'cracked' });
    await world.clock.advance(150);
    world.kernel.send('/wall', { type: 'door.open' });
    expect(`\n${world.transcript()}\n`).toBe(`
00:00:00.000  n1  /door#1                       closed → open               door.open                 send /bell bell.ring
00:00:00.000  n1  /bell#1                       working                     bell.ring from /door#1.1
00:00:05.000  n1  /door#1                       open → closed               after.5000
00:00:05.000  n1  /door#1                       closed                      door.lock                 ignored
00:00:05.000  n1  /bell#1                       working ✗                   work.fail                 crashed: Error: cracked
00:00:05.000  n1  /bell#1                       ∎                           stopped                   error: cracked
00:00:05.000  n1  /#1                           running                     child.exited              emit supervisor.decided; schedule restart.due in 100 ms
00:00:05.000  n1  /#1                                                       decided                   restart bell in 100 ms (restarts 1)
00:00:05.086  n1  /#1                           running                     restart.due               start bell
00:00:05.086  n1  /bell#2                       → working                   started worker
00:00:05.086  n1  /#1                           running                     child.started
00:00:05.086  n1  /#1                           running                     child.ready
00:00:05.150  n1  /wall#0                                                   door.open                 dead letter to /wall: no-actor
`);
    const lines = world.kernel.directory.transcript({ under: '/bell', limit: 2 });
    expect(lines.map(({ text }) => text.slice(48).trim().replaceAll(/ +/g, ' '))).toEqual([
      '∎ stopped error: cracked',
      '→ working started worker',
    ]);
  });

  it('keeps the newest', async () => {
    const world = rig(supervisor('root', 'one_for_one', [worker('a', 'worker')]), { machines: workers });
    await world.clock.settle();
    for (let n = 0; n < 6; n += 1) {
      for (let m = 0; m < 1_000; m += 1) world.kernel.send('/a', { type: `note.${n}` });
      await world.clock.settle();
    }
    const lines = world.kernel.directory.transcript({ limit: 1_000_000 });
    expect(lines).toHaveLength(limits.transcriptLines);
    expect(lines[0]!.text).toContain('note.1');
    expect(lines.at(-1)!.text).toContain('note.5');
    const seqs = lines.map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, at) => seqs[0]! + at));
  });
});

describe('frames', () => {
  it('are numbered without gaps, and the same for everybody who watches', async () => {
    const world = rig(supervisor('root', 'one_for_one', [worker('a', 'worker')]), { machines: workers });
    await world.clock.settle();
    const late: Frame[] = [];
    const stop = world.kernel.directory.watch((frame) => late.push(frame));
    world.kernel.send('/a', { type: 'work.fail' });
    await world.clock.advance(1_000);
    stop();
    world.kernel.send('/a', { type: 'note' });
    await world.clock.settle();
    expect(world.frames.map(({ seq }) => seq)).toEqual(world.frames.map((_, at) => at + 1));
    expect(late.length).toBeGreaterThan(3);
    expect(world.frames).toEqual(expect.arrayContaining(late));
    expect(late.some((frame) => frame.type === 'actor.transitioned' && frame.cause === 'note')).toBe(false);
  });

  it('a watcher that throws harms no actor', async () => {
    const world = rig(supervisor('root', 'one_for_one', [worker('a', 'worker')]), { machines: workers });
    await world.clock.settle();
    const stop = world.kernel.directory.watch(() => {
      throw new Error('watcher');
    });
    world.kernel.send('/a', { type: 'note' });
    await expect(world.clock.settle()).rejects.toThrow('watcher');
    stop();
    await world.clock.settle();
    expect(world.living()).toEqual(['/#1', '/a#1']);
  });

  it('same seed, same frames', async () => {
    const run = async (seed: number) => {
      const children = ['a', 'b', 'c'].map((id) => worker(id, 'worker'));
      const world = rig(supervisor('root', 'one_for_one', children), { machines: workers, seed });
      for (const id of ['a', 'b', 'c', 'a']) {
        await world.clock.advance(400);
        world.kernel.send(`/${id}`, { type: 'work.fail' });
      }
      await world.clock.advance(2_000);
      return world.transcript();
    };
    expect(await run(3)).toBe(await run(3));
    expect(await run(3)).not.toBe(await run(4));
  });
});

describe('halt', () => {
  it('is a death without last words: no abort, no message, late answers unheard, nothing pending', async () => {
    let answer: (value: unknown) => void = () => {};
    let signal: AbortSignal | undefined;
    let unwatched = 0;
    const world = rig(supervisor('root', 'one_for_one', [worker('a', 'worker'), worker('b', 'stubborn')]), {
      machines: workers,
      ports: {
        images: { list: (_, call) => ((signal = call.signal), new Promise((resolve) => (answer = resolve))) },
        containers: { events: () => () => (unwatched += 1) },
      },
    });
    await world.clock.settle();
    const effects = [
      {
        do: 'drive',
        id: 'd',
        call: { port: 'images', op: 'list', args: {} },
        done: 'd.done',
        failed: 'd.failed',
        timeoutMs: 500,
      },
      { do: 'watch', id: 'w', source: { of: 'containers' } },
      { do: 'schedule', token: 't', delayMs: 100, event: { type: 't.due' } },
    ];
    world.kernel.send('/a', { type: 'work.do', effects });
    await world.clock.settle();
    const waiting = world.kernel.ask('/a', { type: 'note' });
    waiting.catch(() => {});
    world.kernel.send('/b', { type: 'note' });
    const before = world.frames.length;
    world.kernel.halt();
    answer({});
    await world.clock.advance(10_000);
    expect(world.frames).toHaveLength(before);
    expect(signal?.aborted).toBe(false);
    expect(unwatched).toBe(1);
    expect(world.clock.timers).toBe(0);
    expect(world.living()).toEqual([]);
    await expect(waiting).rejects.toMatchObject({ reason: { code: 'HM-ACTOR-STOPPED' } });
    expect(await world.kernel.exited).toEqual({ kind: 'killed' });
  });

  it('may come from inside a port call', async () => {
    const world = rig(supervisor('root', 'one_for_one', [worker('a', 'worker'), worker('b', 'worker')]), {
      machines: workers,
      ports: { images: { list: () => (world.kernel.halt(), Promise.resolve({})) } },
    });
    await world.clock.settle();
    const effects = [
      {
        do: 'drive',
        id: 'd',
        call: { port: 'images', op: 'list', args: {} },
        done: 'd.done',
        failed: 'd.failed',
        timeoutMs: 500,
      },
      { do: 'send', to: '/b', event: { type: 'never' } },
    ];
    world.kernel.send('/a', { type: 'work.do', effects });
    await world.clock.advance(10_000);
    expect(world.framesOf('message.dead')).toEqual([]);
    expect(world.clock.timers).toBe(0);
  });
});

describe('a kernel without watchers', () => {
  it('still keeps its transcript', async () => {
    const clock = new HeapClock();
    const kernel = createKernel({
      node: 'n1',
      boot: 1,
      clock,
      random: seededRandom(1),
      ports: {} as never,
      machines: { supervisor: supervisorMachine, ...workers },
      emit: () => {},
    });
    kernel.start(supervisor('root', 'one_for_one', [worker('a', 'worker')]));
    await clock.settle();
    expect(kernel.directory.transcript({ limit: 10 })).toHaveLength(4);
    void kernel.stop();
    await clock.settle();
    expect(await kernel.exited).toEqual({ kind: 'shutdown' });
  });
});
