/**
 * OTP's table: who comes back after which exit, under each strategy. Three children, left to right `a b c`; the
 * middle one has the restart rule of the row and ends as the row says. `a1` lives in its first incarnation,
 * `b2` in its second, `-` is gone.
 */
import { describe, expect, it } from 'vitest';
import type { ExitReason, Restart, Strategy } from '../../protocols/supervision/child-spec.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';
import { supervisor, worker } from '../../supervisors/child-spec.ts';
import { incarnation, rig, type Rig } from '../kit/rig.ts';
import { workers } from '../kit/workers.ts';

const table: [Restart, ExitReason['kind'], Record<Strategy, string>][] = [
  [
    'permanent',
    'normal',
    { one_for_one: 'a1 b2 c1', one_for_all: 'a2 b2 c2', rest_for_one: 'a1 b2 c2', dynamic: 'a1 b2 c1' },
  ],
  [
    'permanent',
    'shutdown',
    { one_for_one: 'a1 b2 c1', one_for_all: 'a2 b2 c2', rest_for_one: 'a1 b2 c2', dynamic: 'a1 b2 c1' },
  ],
  [
    'permanent',
    'error',
    { one_for_one: 'a1 b2 c1', one_for_all: 'a2 b2 c2', rest_for_one: 'a1 b2 c2', dynamic: 'a1 b2 c1' },
  ],
  [
    'transient',
    'normal',
    { one_for_one: 'a1 - c1', one_for_all: 'a1 - c1', rest_for_one: 'a1 - c1', dynamic: 'a1 - c1' },
  ],
  [
    'transient',
    'shutdown',
    { one_for_one: 'a1 - c1', one_for_all: 'a1 - c1', rest_for_one: 'a1 - c1', dynamic: 'a1 - c1' },
  ],
  [
    'transient',
    'error',
    { one_for_one: 'a1 b2 c1', one_for_all: 'a2 b2 c2', rest_for_one: 'a1 b2 c2', dynamic: 'a1 b2 c1' },
  ],
  [
    'temporary',
    'normal',
    { one_for_one: 'a1 - c1', one_for_all: 'a1 - c1', rest_for_one: 'a1 - c1', dynamic: 'a1 - c1' },
  ],
  [
    'temporary',
    'shutdown',
    { one_for_one: 'a1 - c1', one_for_all: 'a1 - c1', rest_for_one: 'a1 - c1', dynamic: 'a1 - c1' },
  ],
  [
    'temporary',
    'error',
    { one_for_one: 'a1 - c1', one_for_all: 'a1 - c1', rest_for_one: 'a1 - c1', dynamic: 'a1 - c1' },
  ],
];

const rows = table.flatMap(([restart, exit, byStrategy]) =>
  Object.entries(byStrategy).map(([strategy, expected]) => ({
    restart,
    exit,
    strategy: strategy as Strategy,
    expected,
  })),
);

function family(world: Rig): string {
  return (['/a', '/b', '/c'] as ActorPath[])
    .map((path) => {
      const life = incarnation(world, path);
      return life === 0 ? '-' : `${path.slice(1)}${life}`;
    })
    .join(' ');
}

describe('OTP matrix', () => {
  it.each(rows)('$restart × $exit × $strategy → $expected', async ({ restart, exit, strategy, expected }) => {
    const children = ['a', 'b', 'c'].map((id) =>
      worker(id, 'worker', {}, { restart: id === 'b' ? restart : 'permanent' }),
    );
    const world = rig(supervisor('root', strategy, children), { machines: workers });
    await world.clock.settle();
    expect(family(world)).toBe('a1 b1 c1');
    const reason = exit === 'error' ? { kind: exit, message: 'as told' } : { kind: exit };
    world.kernel.send('/b', { type: 'work.end', exit: reason });
    await world.clock.settle();
    // A restart is never synchronous: without time, whoever is restarted is not back yet.
    expect(incarnation(world, '/b')).toBe(0);
    await world.clock.advance(1_000);
    expect(family(world)).toBe(expected);
    expect(world.kernel.directory.show('/')?.phase).toBe('running');
  });

  it('a throw counts as an error exit', async () => {
    const world = rig(
      supervisor('root', 'one_for_one', [
        worker('a', 'worker', {}, { restart: 'transient' }),
        worker('b', 'worker', {}, { restart: 'temporary' }),
      ]),
      { machines: workers },
    );
    await world.clock.settle();
    world.kernel.send('/a', { type: 'work.fail' });
    world.kernel.send('/b', { type: 'work.fail' });
    await world.clock.advance(1_000);
    expect(world.living()).toEqual(['/#1', '/a#2']);
  });
});
