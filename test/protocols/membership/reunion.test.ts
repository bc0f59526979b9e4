/**
 * Where a member lost the others, it looks in one place after the other: chance alone left out the one where somebody
 * was, again and again (seed 55061 of three nodes: the first server had left, and came back knowing nobody).
 */
import { expect, test } from 'vitest';
import { packAccusation, sealStatement } from '../../../protocols/membership/claims/codec.ts';
import { packGive } from '../../../protocols/membership/exchange/bodies.ts';
import type { NodeId } from '../../../protocols/membership/model.ts';
import { timesOf } from '../../../protocols/membership/profile.ts';
import { Self } from '../../../protocols/membership/self.ts';
import { Swim } from '../../../protocols/membership/swim.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';

const at = (host: string) => ({ host, port: 4484 });
const profileOf = (id: NodeId, host: string) =>
  ({ name: id, address: at(host), condition: 'ready', versions: [1, 1], zone: '' }) as const;
const incarnation = { boot: 1, counter: 0 };

function stated(id: NodeId, host: string): Uint8Array {
  const words = { id, incarnation, left: false, profile: profileOf(id, host) };
  return sealStatement(words, simulatedNotary(id, id)).bytes;
}

/** Where it looks in so many tries; exchanges with who is alive are none. */
function tries(swim: Swim, from: number, many: number): readonly string[] {
  const places: string[] = [];
  for (let now = from; places.length < many; now = swim.nextDeadline()!)
    for (const effect of swim.step({ kind: 'stream-heard', id: 'living' }, now))
      if (effect.kind === 'exchange' && effect.id !== 'living') places.push(effect.to.host);
  return places;
}

function core(seeds: readonly string[], seed: number): Swim {
  const notary = simulatedNotary('self', 'self');
  const self = new Self('self', 1, profileOf('self', 'here'), notary);
  return new Swim({ times: timesOf.lan, random: seededRandom(seed), notary, self, seeds: seeds.map(at) });
}

test.each([1, 2, 3, 4, 5])('every place in its turn, and then all again (seed %i)', (seed) => {
  const seeds = ['a', 'b', 'c', 'd', 'here'];
  const lonely = core(seeds, seed);
  const first = lonely
    .step({ kind: 'start' }, 0)
    .flatMap((effect) => (effect.kind === 'exchange' ? [effect.to.host] : []));
  const places = [...first, ...tries(lonely, 0, 8 - first.length)];
  expect([places.slice(0, 4).sort(), places.slice(4).sort()]).toEqual([
    ['a', 'b', 'c', 'd'],
    ['a', 'b', 'c', 'd'],
  ]);
});

test('the dead are looked for where they were, but not where somebody lives by now', () => {
  const some = core(['a'], 1);
  some.step({ kind: 'start' }, 0);
  const dead = [
    ['first', 'a'],
    ['second', 'b'],
    ['former', 'c'],
  ] as const;
  const told = [...dead.map(([id, host]) => stated(id, host)), stated('living', 'c')];
  some.step({ kind: 'asked', from: { id: 'living', address: at('c') }, body: packGive(told, []) }, 1);
  const verdicts = dead.map(([id]) => packAccusation({ kind: 'dead', id, incarnation, from: 'living' }));
  some.step({ kind: 'asked', from: { id: 'living', address: at('c') }, body: packGive(verdicts, []) }, 2);
  expect(
    some
      .members()
      .map(({ id, status }) => `${id} ${status}`)
      .sort(),
  ).toEqual(['first dead', 'former dead', 'living alive', 'second dead']);
  expect(new Set(tries(some, 3, 8))).toEqual(new Set(['a', 'b']));
});
