/** Wherever a machine throws: the actor alone ends, nothing it asked for in that step happens, and its supervisor hears why. */
import { describe, expect, it } from 'vitest';
import { assign, setup, type AnyStateMachine } from 'xstate';
import { perform } from '../../../actors/decide.ts';
import type { Effect } from '../../../protocols/effects.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { rig } from '../../kit/rig.ts';
import { workers } from '../../kit/workers.ts';

function boom(where: string): never {
  throw new Error(`boom in ${where}`);
}

const telling: { effects: Effect[] } = {
  effects: [{ do: 'send', to: '/witness', event: { type: 'half.done' } }],
};
const tell = { type: 'perform', params: telling } as const;
const made = setup({
  actions: { perform, explode: (_, { where }: { where: string }) => boom(where) },
  guards: { explode: (): boolean => boom('guard') },
});
const explode = (where: string) => ({ type: 'explode', params: { where } }) as const;

const machines: Record<string, AnyStateMachine> = {
  context: made.createMachine({ context: () => boom('context'), entry: tell }),
  entry: made.createMachine({ entry: [tell, explode('entry')] }),
  'deep entry': made.createMachine({
    initial: 'a',
    entry: tell,
    states: { a: { always: 'b' }, b: { entry: explode('deep entry') } },
  }),
  guard: made.createMachine({
    initial: 'calm',
    states: { calm: { on: { go: { guard: 'explode', target: 'gone' } } }, gone: {} },
  }),
  action: made.createMachine({
    initial: 'calm',
    states: { calm: { on: { go: { actions: [tell, explode('action')] } } } },
  }),
  assign: made.createMachine({
    context: {},
    initial: 'calm',
    states: {
      calm: { on: { go: { target: 'gone', actions: [tell, assign(() => boom('assign'))] } } },
      gone: {},
    },
  }),
  'exit action': made.createMachine({
    initial: 'calm',
    states: { calm: { on: { go: 'gone' }, exit: [tell, explode('exit action')] }, gone: {} },
  }),
  after: made.createMachine({
    initial: 'calm',
    states: { calm: { after: { 500: { actions: [tell, explode('after')] } } } },
  }),
  effect: made.createMachine({
    initial: 'calm',
    states: {
      calm: {
        on: {
          go: {
            actions: {
              type: 'perform',
              params: {
                effects: [
                  {
                    do: 'drive',
                    id: 'd',
                    call: { port: 'images', op: 'list', args: {} },
                    done: 'd.done',
                    failed: 'd.failed',
                    timeoutMs: 1_000,
                  },
                  ...telling.effects,
                ],
              },
            },
          },
        },
      },
    },
  }),
  'shutdown guard': made.createMachine({
    initial: 'calm',
    states: {
      calm: { on: { 'sys.shutdown': { guard: 'explode', target: 'gone' } } },
      gone: { type: 'final' },
    },
  }),
};

const ports = { images: { list: () => boom('effect') } };

const cases: [where: string, message: string, cause: string, phaseBefore: string][] = [
  ['context', 'boom in context', 'start', ''],
  ['entry', 'boom in entry', 'start', ''],
  ['deep entry', 'boom in deep entry', 'start', ''],
  ['guard', 'boom in guard', 'go', 'calm'],
  ['action', 'boom in action', 'go', 'calm'],
  ['assign', 'boom in assign', 'go', 'calm'],
  ['exit action', 'boom in exit action', 'go', 'calm'],
  ['after', 'boom in after', 'after.500', 'calm'],
  ['effect', 'boom in effect', 'go', 'calm'],
];

describe('a throw', () => {
  it.each(cases)('in %s', async (where, message, cause, phaseBefore) => {
    const root = supervisor('root', 'one_for_one', [
      worker('witness', 'worker'),
      worker('a', where, {}, { restart: 'temporary' }),
    ]);
    const world = rig(root, { machines: { ...workers, ...machines }, ports });
    await world.clock.settle();
    world.kernel.send('/a', { type: 'go' });
    await world.clock.advance(500);

    const [crash, ...more] = world.framesOf('actor.crashed');
    expect(more).toEqual([]);
    expect(crash).toMatchObject({ path: '/a', cause, phaseBefore });
    expect(crash?.error.message).toContain(message);
    expect(crash?.error.stack).toContain(' at ');
    expect(world.framesOf('actor.stopped')).toMatchObject([{ path: '/a', exit: { kind: 'error' } }]);
    expect(world.living()).toEqual(['/#1', '/witness#1']);
    expect(world.kernel.directory.show('/witness')?.context).toMatchObject({ heard: [] });
    expect(world.clock.timers).toBe(0);
    expect(world.framesOf('supervisor.decided')).toMatchObject([{ child: 'a', decision: 'forget' }]);
    // Who failed for good is worth a line of the event log.
    expect(world.events).toMatchObject([{ type: 'supervisor.decided', subject: '/a', level: 'warning' }]);
  });

  it('while it is asked to end ends it as a failure', async () => {
    const world = rig(supervisor('root', 'one_for_one', [worker('a', 'shutdown guard')]), { machines });
    await world.clock.settle();
    void world.kernel.stop();
    await world.clock.settle();
    expect(world.framesOf('actor.crashed')).toMatchObject([{ path: '/a', cause: 'sys.shutdown' }]);
    expect(await world.kernel.exited).toEqual({ kind: 'shutdown' });
  });

  it('is remembered at its path, over lives', async () => {
    const world = rig(supervisor('root', 'one_for_one', [worker('a', 'worker')]), { machines: workers });
    await world.clock.settle();
    const at = world.clock.now();
    world.kernel.send('/a', { type: 'work.fail', text: 'first' });
    await world.clock.advance(1_000);
    expect(world.kernel.directory.show('/a')).toMatchObject({
      restarts: 1,
      lastCrash: { at, message: 'first', cause: 'work.fail', phaseBefore: 'working' },
    });
  });
});

describe('what only supervisors may do', () => {
  it('crashes a worker that tries', async () => {
    const world = rig(
      supervisor('root', 'one_for_one', [worker('a', 'worker', {}, { restart: 'temporary' })]),
      { machines: workers },
    );
    await world.clock.settle();
    world.kernel.send('/a', { type: 'work.do', effects: [{ do: 'start', spec: worker('b', 'worker') }] });
    await world.clock.settle();
    expect(world.framesOf('actor.crashed')[0]?.error.message).toContain('no supervisor');
  });
});
