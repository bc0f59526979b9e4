/** Which claim stands: the same for all who heard the same claims, in any order (M4, M5, M6). */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compareStandings,
  refutation,
  standingOf,
  wordsOf,
  type Standing,
} from '../../../protocols/membership/claims/precedence.ts';
import { Members } from '../../../protocols/membership/members.ts';
import type { Claim, MemberStatus } from '../../../protocols/membership/model.ts';

const incarnation = fc.record({
  boot: fc.integer({ min: 1, max: 3 }),
  counter: fc.integer({ min: 0, max: 3 }),
});
const status = fc.constantFrom<MemberStatus>('alive', 'suspected', 'dead', 'left');

/** A claim of that standing. What `left` and `alive` say is the member's own word. */
function claimOf({ incarnation: of, status: as }: Standing, from = 'b'): Claim {
  if (as === 'suspected' || as === 'dead') return { kind: as, id: 'a', incarnation: of, from };
  const profile = {
    name: `a${of.boot}.${of.counter}`,
    address: { host: '10.0.0.1', port: 4484 },
    condition: 'ready',
    versions: [1, 1],
    zone: '',
  } as const;
  const left = as === 'left';
  return { kind: 'stated', statement: { id: 'a', incarnation: of, left, profile, bytes: new Uint8Array(1) } };
}

const suspicion = () => ({
  startedAt: 0,
  shortestMs: 1,
  longestMs: 2,
  confirmations: 2,
  from: ['b'],
  heardAt: [0],
});

function heard(standings: readonly Standing[]): Standing & { readonly words: Standing | undefined } {
  const members = new Members();
  for (const one of standings) members.hear(claimOf(one), 0, suspicion);
  const entry = members.get('a')!;
  return {
    incarnation: entry.incarnation,
    status: entry.status,
    words: entry.statement && wordsOf(entry.statement),
  };
}

const standings = fc.array(fc.record({ incarnation, status }), { minLength: 1, maxLength: 8 });

test('whoever heard the same claims holds the same, in any order and however often', () => {
  fc.assert(
    fc.property(
      standings.chain((some) =>
        fc.tuple(fc.constant(some), fc.shuffledSubarray([...some, ...some], { minLength: some.length * 2 })),
      ),
      ([some, shuffled]) => {
        expect(heard(shuffled)).toEqual(heard(some));
      },
    ),
  );
});

test('the incarnation never falls, and a life that left stays left', () => {
  fc.assert(
    fc.property(standings, (some) => {
      const members = new Members();
      let before: Standing | undefined;
      for (const one of some) {
        members.hear(claimOf(one), 0, suspicion);
        const entry = members.get('a')!;
        const after = { incarnation: entry.incarnation, status: entry.status };
        if (before) {
          expect(compareStandings(after, before)).toBeGreaterThanOrEqual(0);
          if (before.status === 'left' && after.incarnation.boot === before.incarnation.boot)
            expect(after.status).toBe('left');
        }
        before = after;
      }
    }),
  );
});

test('the order of standings is total', () => {
  const standing = fc.record({ incarnation, status });
  fc.assert(
    fc.property(standing, standing, standing, (a, b, c) => {
      expect(Math.sign(compareStandings(a, b))).toBe(-Math.sign(compareStandings(b, a)) + 0);
      if (compareStandings(a, b) <= 0 && compareStandings(b, c) <= 0)
        expect(compareStandings(a, c)).toBeLessThanOrEqual(0);
    }),
  );
});

test.each([
  ['dead stands against what was said before', 'dead', [1, 4], 'alive', [1, 4], false],
  ['its owner undoes it', 'dead', [1, 4], 'alive', [1, 5], true],
  ['a new boot undoes it, counting from 0', 'dead', [1, 400], 'alive', [2, 0], true],
  ['an accusation of the present word stands', 'alive', [1, 4], 'suspected', [1, 4], true],
  ['an accusation of an earlier word does not', 'alive', [1, 4], 'suspected', [1, 3], false],
  ['dead outdoes suspected', 'suspected', [1, 4], 'dead', [1, 4], true],
  ['left is final for its boot', 'left', [1, 4], 'alive', [1, 9], false],
  ['… also against accusations', 'left', [1, 4], 'dead', [1, 9], false],
  ['… but not for the next', 'left', [1, 4], 'alive', [2, 0], true],
  ['left undoes dead', 'dead', [1, 4], 'left', [1, 4], true],
] as const)('%s', (_, status0, [boot0, counter0], status1, [boot1, counter1], wins) => {
  const before = { status: status0, incarnation: { boot: boot0, counter: counter0 } };
  const after = { status: status1, incarnation: { boot: boot1, counter: counter1 } };
  expect(compareStandings(after, before) > 0).toBe(wins);
  expect(standingOf(claimOf(after))).toEqual(after);
});

test('a refutation outdoes what it refutes, and no other boot is spoken for', () => {
  fc.assert(
    fc.property(incarnation, incarnation, (own, accused) => {
      const next = refutation(own, accused);
      expect(next.boot).toBe(own.boot);
      expect(next.counter).toBeGreaterThan(own.counter);
      if (accused.boot === own.boot) expect(next.counter).toBeGreaterThan(accused.counter);
    }),
  );
});

test('of those that are gone the latest 10,000 are remembered, and everybody that lives', () => {
  const members = new Members();
  const dead = (at: number): Claim => ({
    kind: 'dead',
    id: `d${at}`,
    incarnation: { boot: 1, counter: 0 },
    from: 'b',
  });
  members.hear(claimOf({ incarnation: { boot: 1, counter: 0 }, status: 'alive' }), 0, suspicion);
  for (let at = 0; at < 10_003; at++) members.hear(dead(at), at, suspicion);
  members.prune();
  expect([...members.all()]).toHaveLength(10_001);
  expect(['a', 'd2', 'd3', 'd10002'].map((id) => members.get(id)?.status)).toEqual([
    'alive',
    undefined,
    'dead',
    'dead',
  ]);
});
