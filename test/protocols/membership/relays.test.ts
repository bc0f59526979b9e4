/** Who is asked to probe in a node's stead: failure domains first, so that one that is cut off takes no other's word with it. */
import { expect, test } from 'vitest';
import { chooseRelays } from '../../../protocols/membership/probing/relays.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';

/** Zones of the candidates; the asking node is in `here`. */
const cases: readonly (readonly [string, string, number, string])[] = [
  ['one of each other zone before a second of any', 'a a a a b c', 3, 'a b c'],
  ['its own zone last', 'here here here here a', 2, 'a here'],
  ['its own zone before a second of another', 'here here a a a a', 2, 'a here'],
  ['a second of each when all zones have one', 'here a a a b b b', 5, 'a a b b here'],
  ['where there is one zone, from that', 'here here here here', 3, 'here here here'],
  ['all where there are few', 'a here', 3, 'a here'],
  ['nobody where there is nobody', '', 3, ''],
];

test.each(cases)('%s', (_, zones, count, chosen) => {
  const candidates = zones
    .split(' ')
    .filter(Boolean)
    .map((zone, at) => ({ id: `${at}`, zone }));
  for (let seed = 1; seed <= 20; seed += 1) {
    const ids = chooseRelays(seededRandom(seed), candidates, 'here', count);
    expect(new Set(ids).size, 'nobody twice').toBe(ids.length);
    const of = ids.map((id) => candidates[Number(id)]!.zone).sort();
    expect(of.join(' ')).toBe(chosen);
  }
});

test('within a zone everybody has a turn', () => {
  const candidates = ['0', '1', '2'].map((id) => ({ id, zone: 'a' }));
  const random = seededRandom(5);
  const asked = Array.from({ length: 40 }, () => chooseRelays(random, candidates, 'here', 1)[0]);
  expect(new Set(asked).size).toBe(3);
});
