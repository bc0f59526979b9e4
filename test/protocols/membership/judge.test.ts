/** What an accusation may do that nobody signs: nothing to a life or words that nobody spoke of. */
import { expect, test } from 'vitest';
import { packAccusation, sealStatement } from '../../../protocols/membership/claims/codec.ts';
import { Desk } from '../../../protocols/membership/desk.ts';
import { hear } from '../../../protocols/membership/judge.ts';
import { memberOf } from '../../../protocols/membership/members.ts';
import type { Accusation, NodeId } from '../../../protocols/membership/model.ts';
import { timesOf } from '../../../protocols/membership/profile.ts';
import { Self } from '../../../protocols/membership/self.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';

const profileOf = (name: string) =>
  ({ name, address: { host: name, port: 4484 }, condition: 'ready', versions: [1, 1], zone: '' }) as const;

function desk(): Desk {
  const notary = simulatedNotary('me', 'me');
  const self = new Self('me', 3, profileOf('me'), notary);
  const made = new Desk({ times: timesOf.lan, random: seededRandom(1), notary, self });
  const words = { id: 'a', incarnation: { boot: 4, counter: 7 }, left: false, profile: profileOf('a') };
  hear(made, sealStatement(words, simulatedNotary('a', 'a')).bytes);
  made.takeEffects();
  return made;
}

const dead = (id: NodeId, boot: number, counter: number): Accusation => ({
  kind: 'dead',
  id,
  incarnation: { boot, counter },
  from: 'b',
});

test.each<[string, Accusation, string | undefined]>([
  ['its present word', dead('a', 4, 7), 'dead 4.7'],
  ['a word that this node may have missed', dead('a', 4, 8), 'dead 4.8'],
  ['a former word', dead('a', 4, 6), 'alive 4.7'],
  ['a former life', dead('a', 3, 2 ** 32 - 1), 'alive 4.7'],
  ['a life that is to come', dead('a', 5, 0), 'alive 4.7'],
  ['words far beyond', dead('a', 4, 5_000), 'alive 4.7'],
  ['the last of all words', dead('a', 4, 2 ** 32 - 1), 'alive 4.7'],
])('accused of %s', (_, accusation, expected) => {
  const one = desk();
  hear(one, accusation);
  const [member] = [...one.members.all()].map(memberOf);
  expect(`${member!.status} ${member!.incarnation.boot}.${member!.incarnation.counter}`).toBe(expected);
});

test('a member that nobody vouched for is not remembered, whatever is said of it', () => {
  const one = desk();
  for (let at = 0; at < 100; at++) hear(one, dead(`made-up-${at}`, 1, 0));
  expect([...one.members.all()]).toHaveLength(1);
  expect(one.news.size).toBe(1);
  expect(one.takeEffects()).toEqual([]);
  expect(one.counts.refused).toBe(100);
});

test.each([
  [3, 0, '3.1'],
  [3, 900, '3.901'],
  [3, 2 ** 32 - 1, '3.0'],
  [2, 5, '3.0'],
  [4, 0, '3.0'],
])('accused itself of %i.%i it stands at %s, and no other life is asked for', (boot, counter, expected) => {
  const one = desk();
  hear(one, dead('me', boot, counter));
  const { incarnation } = one.self.statement;
  expect(`${incarnation.boot}.${incarnation.counter}`).toBe(expected);
  expect(one.takeEffects().filter(({ kind }) => kind === 'doubled')).toEqual([]);
});

test('when no number is left to refute with, another life is asked for, and the words stay readable', () => {
  const one = desk();
  const last = 2 ** 32 - 1;
  // Others raise it a thousand at a time; a test need not wait for that.
  one.self.refute({ boot: 3, counter: last - 10 });
  hear(one, dead('me', 3, last));
  expect(one.takeEffects()).toEqual([{ kind: 'doubled', boot: 3 }]);
  expect(one.self.statement.incarnation).toEqual({ boot: 3, counter: last - 9 });
  hear(one, dead('me', 3, last - 1));
  expect(one.self.statement.incarnation).toEqual({ boot: 3, counter: last });
  expect(packAccusation(dead('me', 3, last))).toHaveLength(5);
});
