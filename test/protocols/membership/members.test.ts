/** Members are drawn by lot without missing anybody, and words that are held already are not judged again. */
import { expect, test } from 'vitest';
import { sealStatement } from '../../../protocols/membership/claims/codec.ts';
import { Desk } from '../../../protocols/membership/desk.ts';
import { hear } from '../../../protocols/membership/judge.ts';
import { Members } from '../../../protocols/membership/members.ts';
import type { Notary } from '../../../protocols/membership/model.ts';
import { timesOf } from '../../../protocols/membership/profile.ts';
import { Self } from '../../../protocols/membership/self.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';

const suspicion = () => ({
  startedAt: 0,
  shortestMs: 1,
  longestMs: 2,
  confirmations: 2,
  from: ['b'],
  heardAt: [0],
});
const profile = {
  name: 'n1',
  address: { host: '10.0.0.1', port: 4484 },
  condition: 'ready',
  versions: [1, 1],
  zone: '',
} as const;

function membersOf(count: number): Members {
  const members = new Members();
  for (let at = 0; at < count; at++) {
    const incarnation = { boot: 1, counter: 0 };
    const kind = at === 0 ? 'suspected' : 'dead';
    members.hear({ kind, id: `m${at}`, incarnation, from: 'b' }, 0, suspicion);
  }
  return members;
}

test.each([1, 2, 3, 10, 1_000])('of %i members the only one that will do is drawn every time', (count) => {
  const members = membersOf(count);
  for (let seed = 0; seed < 50; seed++) {
    const drawn = members.some(seededRandom(seed), 3, ({ status }) => status === 'suspected');
    expect(drawn.map(({ id }) => id)).toEqual(['m0']);
  }
});

test('each is drawn about as often as any other, and none twice at once', () => {
  const members = membersOf(20);
  const random = seededRandom(5);
  const times = new Map<string, number>();
  for (let draw = 0; draw < 4_000; draw++) {
    const ids = members.some(random, 3, () => true).map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) times.set(id, (times.get(id) ?? 0) + 1);
  }
  for (const count of times.values()) expect(Math.abs(count - 600)).toBeLessThan(110);
  expect(times.size).toBe(20);
});

test('words are opened once, however often they come', () => {
  const real = simulatedNotary('me', 'me');
  let opened = 0;
  const notary: Notary = {
    seal: (body) => real.seal(body),
    open: (sealed) => {
      opened += 1;
      return real.open(sealed);
    },
  };
  const self = new Self('me', 1, profile, notary);
  const desk = new Desk({ times: timesOf.lan, random: seededRandom(1), notary, self });
  const say = (counter: number) =>
    sealStatement(
      { id: 'one', incarnation: { boot: 1, counter }, left: false, profile },
      simulatedNotary('one', 'n1'),
    ).bytes;
  const heard = [0, 0, 0, 1, 1, 0].map((counter) => hear(desk, Uint8Array.from(say(counter))));
  expect(heard).toEqual(['status', 'known', 'known', 'words', 'known', 'old']);
  expect(opened).toBe(3);
});
