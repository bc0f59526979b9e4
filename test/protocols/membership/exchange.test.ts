/** Two nodes exchange what they hold: only what differs travels, in frames of bounded size, and both hold the same afterwards. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  packAccusation,
  sealStatement,
  type PackedClaim,
} from '../../../protocols/membership/claims/codec.ts';
import { Desk } from '../../../protocols/membership/desk.ts';
import { exchangeBytes, packGive } from '../../../protocols/membership/exchange/bodies.ts';
import {
  bucketsFor,
  differences,
  digestOf,
  type Line,
} from '../../../protocols/membership/exchange/digest.ts';
import { Exchanger } from '../../../protocols/membership/exchange/exchanger.ts';
import { memberOf } from '../../../protocols/membership/members.ts';
import type { NodeId } from '../../../protocols/membership/model.ts';
import { timesOf } from '../../../protocols/membership/profile.ts';
import { Self } from '../../../protocols/membership/self.ts';
import { decodePlain, encodePlain } from '../../../protocols/wire/codec.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';

const profileOf = (name: string) =>
  ({
    name,
    address: { host: `${name}.example`, port: 4484 },
    condition: 'ready',
    versions: [1, 1],
    zone: '',
  }) as const;

interface Peer {
  readonly desk: Desk;
  readonly exchanger: Exchanger;
}

function peer(id: NodeId): Peer {
  const notary = simulatedNotary(id, id);
  const self = new Self(id, 1, profileOf(id), notary);
  const desk = new Desk({ times: timesOf.lan, random: seededRandom(id.length), notary, self });
  return { desk, exchanger: new Exchanger(desk) };
}

function told({ desk, exchanger }: Peer, claims: readonly PackedClaim[]): void {
  exchanger.asked(packGive(claims, []));
  desk.takeEffects();
}

function stated(id: NodeId, { boot = 1, counter = 0, left = false } = {}): Uint8Array {
  const words = { id, incarnation: { boot, counter }, left, profile: profileOf(id) };
  return sealStatement(words, simulatedNotary(id, id)).bytes;
}

const accused = (kind: 'suspected' | 'dead', id: NodeId, boot = 1, counter = 0): PackedClaim =>
  packAccusation({ kind, id, incarnation: { boot, counter }, from: 'accuser' });

/** The bodies of a whole exchange, both ways, as frames carry them. */
function exchange(a: Peer, b: Peer): readonly number[] {
  const frames: number[] = [];
  const carried = (body: unknown): unknown => {
    const bytes = encodePlain(body, exchangeBytes);
    frames.push(bytes.length);
    return decodePlain(bytes, exchangeBytes);
  };
  a.exchanger.begin({ host: 'b', port: 1 }, b.desk.self.id);
  for (;;) {
    const request = a.desk.takeEffects().find((effect) => effect.kind === 'exchange');
    if (!request) return frames;
    b.exchanger.asked(carried(request.body));
    const answer = b.desk.takeEffects().find((effect) => effect.kind === 'answer')!;
    a.exchanger.answered(request.exchange, b.desk.self.id, carried(answer.body));
  }
}

/** What it holds of all, itself included, as text. */
function view({ desk }: Peer): readonly string[] {
  const own = desk.self.statement;
  const lines = [...desk.members.all()].map((entry) => {
    const { id, incarnation, status, profile } = memberOf(entry);
    return `${id} ${status} ${incarnation.boot}.${incarnation.counter} ${profile?.name ?? 'unknown'}`;
  });
  const status = own.left ? 'left' : 'alive';
  const { boot, counter } = own.incarnation;
  return [...lines, `${own.id} ${status} ${boot}.${counter} ${own.profile.name}`].sort();
}

const many = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, at) => `member-${String(from + at).padStart(26, '0')}`);

const claim = fc
  .record({
    id: fc.constantFrom(...many(40), 'a', 'b'),
    boot: fc.integer({ min: 1, max: 2 }),
    counter: fc.integer({ min: 0, max: 2 }),
    kind: fc.constantFrom('stated', 'stated', 'left', 'suspected', 'dead'),
  })
  // The two speak for themselves alone.
  .map(({ id, boot, counter, kind }): PackedClaim => {
    const speaks = id === 'a' || id === 'b';
    // Of a boot that is not there yet nobody can know.
    if (kind === 'suspected' || kind === 'dead') return accused(kind, id, speaks ? 1 : boot, counter);
    const name = speaks ? 'c' : id;
    return stated(name, { boot, counter, left: kind === 'left' });
  });
const claims = fc.array(claim, { maxLength: 60 });

test('whatever two nodes hold, after one exchange both hold the same', () => {
  fc.assert(
    fc.property(claims, claims, (some, others) => {
      const [a, b] = [peer('a'), peer('b')];
      told(a, some);
      told(b, others);
      exchange(a, b);
      expect(view(a)).toEqual(view(b));
      // And say so in one request and a short answer.
      expect(exchange(b, a)).toHaveLength(2);
    }),
    { numRuns: 300 },
  );
});

test('halves that held each other dead see each other alive after one exchange', () => {
  const [a, b] = [peer('a'), peer('b')];
  told(a, [stated('b'), accused('dead', 'b')]);
  told(b, [stated('a'), accused('dead', 'a')]);
  exchange(a, b);
  expect(view(a)).toEqual(['a alive 1.1 a', 'b alive 1.1 b']);
  expect(view(b)).toEqual(view(a));
});

test('of a thousand members that both know, one request and its answer travel: 3 kB', () => {
  const [a, b] = [peer('a'), peer('b')];
  for (const one of [a, b])
    told(
      one,
      many(1_000).map((id) => stated(id)),
    );
  exchange(a, b);
  const frames = exchange(a, b);
  expect(frames).toHaveLength(2);
  expect(frames[0]! + frames[1]!).toBeLessThan(3_000);
});

test('of one that changed among a thousand, little more than its own word travels', () => {
  const [a, b] = [peer('a'), peer('b')];
  for (const one of [a, b])
    told(
      one,
      many(1_000).map((id) => stated(id)),
    );
  exchange(a, b);
  told(a, [stated(many(1)[0]!, { counter: 1 })]);
  const frames = exchange(a, b);
  expect(frames).toHaveLength(4);
  expect(frames.reduce((sum, bytes) => sum + bytes)).toBeLessThan(4_500);
  expect(view(a)).toEqual(view(b));
});

test.each([
  [5_000, 0],
  [0, 5_000],
  [3_000, 3_000],
])(
  '%i members of which the other knows none, and %i the other way, come over in bounded frames',
  (here, there) => {
    const [a, b] = [peer('a'), peer('b')];
    told(
      a,
      many(here).map((id) => stated(id)),
    );
    told(
      b,
      many(there, 10_000).map((id) => stated(id)),
    );
    const frames = exchange(a, b);
    expect(Math.max(...frames)).toBeLessThanOrEqual(exchangeBytes);
    expect(frames.length).toBeLessThan(100);
    expect(view(a)).toEqual(view(b));
    expect(view(a)).toHaveLength(here + there + 2);
  },
);

test('an exchange breaks off anywhere, and the next one does the rest', () => {
  const [a, b] = [peer('a'), peer('b')];
  told(
    a,
    many(300).map((id) => stated(id)),
  );
  told(
    b,
    many(300, 300).map((id) => stated(id)),
  );
  a.exchanger.begin({ host: 'b', port: 1 });
  const [first] = a.desk.takeEffects();
  if (first?.kind !== 'exchange') return expect.unreachable();
  b.exchanger.asked(first.body);
  b.desk.takeEffects();
  // Its answer is lost; and one to what was never asked changes nothing.
  a.exchanger.answered(99, 'b', [0, []]);
  expect(a.desk.takeEffects()).toEqual([]);
  exchange(a, b);
  expect(view(a)).toEqual(view(b));
});

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['text', 'compare'],
  ['no kind', [7, 1, new Uint8Array(8), '']],
  ['hashes that are cut', [0, 1, new Uint8Array(9), '']],
  ['more buckets than there may be', [0, 1, new Uint8Array(8 * 4_096), '']],
  ['a salt that is no number', [0, 'x', new Uint8Array(8), '']],
  ['something more', [0, 1, new Uint8Array(8), '', 1]],
  ['claims that are none', [1, ['dead'], []]],
  ['wishes that are no ids', [1, [], [3]]],
  ['endless wishes', [1, [], Array.from({ length: 9_000 }, () => 'x')]],
])('a request that holds %s is refused, counted, and changes nothing', (_, body) => {
  const a = peer('a');
  told(
    a,
    many(3).map((id) => stated(id)),
  );
  const before = view(a);
  a.exchanger.asked(body);
  expect(a.desk.takeEffects()).toEqual([]);
  expect(a.desk.counts.refused).toBe(1);
  expect(view(a)).toEqual(before);
});

test.each<[string, (buckets: number) => unknown]>([
  ['nothing', () => undefined],
  ['of other buckets', (buckets) => [new Uint8Array(buckets + 1), '', []]],
  ['lines that are none', (buckets) => [new Uint8Array(buckets), '', [['id', 1]]]],
  [
    'members outside of what it says it covers',
    (buckets) => [new Uint8Array(buckets), 'A', [['b', 1, 0, 0, 1, 0, 0]]],
  ],
])('an answer that holds %s ends the exchange and changes nothing', (_, answer) => {
  const a = peer('a');
  told(
    a,
    many(20).map((id) => stated(id)),
  );
  const before = view(a);
  a.exchanger.begin({ host: 'b', port: 1 });
  const [request] = a.desk.takeEffects();
  if (request?.kind !== 'exchange') return expect.unreachable();
  a.exchanger.answered(request.exchange, 'b', answer(bucketsFor(21)));
  expect(a.desk.takeEffects()).toEqual([]);
  expect(view(a)).toEqual(before);
});

test('a peer that always has more to compare, or never tells what it named, comes to an end', () => {
  const a = peer('a');
  a.exchanger.begin({ host: 'b', port: 1 });
  let requests = 0;
  for (;;) {
    const request = a.desk.takeEffects().find((effect) => effect.kind === 'exchange');
    if (!request) break;
    requests += 1;
    const id = `z${String(requests).padStart(6, '0')}`;
    const [kind] = request.body as readonly [number];
    const answer = kind === 0 ? [Uint8Array.of(1), id, [[id, 1, 0, 0, 1, 0, 0]]] : [1, []];
    a.exchanger.answered(request.exchange, 'b', answer);
  }
  expect(requests).toBeLessThanOrEqual(512);
  expect(view(a)).toEqual(['a alive 1.0 a']);
});

test('equal views have equal hashes in any order, and every difference of one member shows', () => {
  const incarnation = fc.record({ boot: fc.integer({ min: 1, max: 3 }), counter: fc.nat(3) });
  const line: fc.Arbitrary<Line> = fc.record({
    id: fc.constantFrom(...many(30)),
    incarnation,
    status: fc.constantFrom('alive', 'suspected', 'dead', 'left'),
    words: fc.option(fc.record({ incarnation, status: fc.constantFrom('alive', 'left') }), {
      nil: undefined,
    }),
  });
  const lines = fc.uniqueArray(line, { selector: ({ id }) => id, minLength: 1 });
  fc.assert(
    fc.property(lines, line, fc.nat(2 ** 32 - 1), (some, other, salt) => {
      const digest = digestOf(some, salt, 4);
      expect(digestOf([...some].reverse(), salt, 4)).toEqual(digest);
      const changed = [{ ...other, id: some[0]!.id }, ...some.slice(1)];
      const same = JSON.stringify(changed[0]) === JSON.stringify({ ...other, ...some[0]! });
      const count = differences(digest, digestOf(changed, salt, 4)).reduce((sum, one) => sum + one);
      expect(count).toBe(same ? 0 : 1);
    }),
    { numRuns: 1_000 },
  );
});
