/** Packets come back as they went, never longer than a datagram, and bytes from anywhere do no harm. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  openStatement,
  packClaim,
  packTold,
  sealStatement,
  type Told,
} from '../../../protocols/membership/claims/codec.ts';
import { Broadcasts, type BroadcastClass } from '../../../protocols/membership/gossip/broadcasts.ts';
import type { Accusation, Profile } from '../../../protocols/membership/model.ts';
import {
  decodePacket,
  encodePacket,
  packetBytes,
  roomBeside,
  type Message,
} from '../../../protocols/membership/packets.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';

const label = fc.stringMatching(/^[a-z0-9-]{1,63}$/);
const natural = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const address = fc.record({
  host: fc.stringMatching(/^[a-z0-9.:-]{1,253}$/),
  port: fc.integer({ min: 0, max: 65_535 }),
});
const incarnation = fc.record({ boot: natural, counter: natural });
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: fc.constant('ping' as const), sequence: natural, target: label }),
  fc.record({ kind: fc.constantFrom('ack' as const, 'nack' as const), sequence: natural }),
  fc.record({
    kind: fc.constant('ping-request' as const),
    sequence: natural,
    target: label,
    address,
    remainingMs: fc.integer({ min: 0, max: 60_000 }),
  }),
  fc.constant({ kind: 'gossip' as const }),
);
const accusation: fc.Arbitrary<Accusation> = fc.record({
  kind: fc.constantFrom('suspected', 'dead'),
  id: label,
  incarnation,
  from: label,
});
const told: fc.Arbitrary<Told> = fc.record({
  kind: fc.constant('digest' as const),
  digest: fc.record({
    id: label,
    boot: natural,
    sequence: natural,
    hash: fc.stringMatching(/^[0-9a-f]{16}$/),
  }),
});
const packedOf = (one: Accusation | Told) => (one.kind === 'digest' ? packTold(one.digest) : packClaim(one));
const profile: fc.Arbitrary<Profile> = fc
  .record({
    name: label,
    address,
    condition: fc.constantFrom('ready' as const, 'stalled' as const, 'away' as const),
    awayMs: fc.integer({ min: 1, max: 30_000 }),
    versions: fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 })),
    zone: fc.stringMatching(/^[a-z0-9-]{0,63}$/),
  })
  .map(({ awayMs, ...rest }) => (rest.condition === 'away' ? { ...rest, awayMs } : rest));

test('a packet comes back as it was', () => {
  fc.assert(
    fc.property(message, fc.array(fc.oneof(accusation, told), { maxLength: 4 }), (sent, claims) => {
      const bytes = encodePacket(sent, claims.map(packedOf));
      expect(decodePacket(bytes)).toEqual({ message: sent, claims });
    }),
  );
});

test('a statement comes back as it was, and says who signed it', () => {
  fc.assert(
    fc.property(label, incarnation, fc.boolean(), profile, (id, at, left, words) => {
      const notary = simulatedNotary(id, words.name);
      const statement = sealStatement({ id, incarnation: at, left, profile: words }, notary);
      expect(openStatement(statement.bytes, simulatedNotary('another', 'n9'))).toEqual(statement);
    }),
  );
});

test('a statement of which one byte changed is refused', () => {
  const words: Profile = {
    name: 'n1',
    address: { host: '10.0.0.1', port: 4484 },
    condition: 'ready',
    versions: [1, 1],
    zone: 'a',
  };
  const statement = sealStatement(
    { id: 'one', incarnation: { boot: 3, counter: 9 }, left: false, profile: words },
    simulatedNotary('one', 'n1'),
  );
  for (let at = 0; at < statement.bytes.length; at++) {
    const forged = Uint8Array.from(statement.bytes);
    forged[at]! ^= 0x10;
    expect(openStatement(forged, simulatedNotary('one', 'n1'))).toBeUndefined();
  }
});

test('bytes from anywhere are a packet or are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_500 }), (bytes) => {
      const packet = decodePacket(bytes);
      if (packet) expect(packet.claims.length).toBeLessThan(bytes.length);
    }),
    { numRuns: 2_000 },
  );
});

test('a packet with bytes changed, cut or added is refused or means something of the same form', () => {
  const change = fc.record({ at: fc.nat(1_400), byte: fc.nat(255), cut: fc.nat(20) });
  fc.assert(
    fc.property(
      message,
      fc.array(fc.oneof(accusation, told), { maxLength: 6 }),
      fc.array(change, { maxLength: 4 }),
      (sent, claims, changes) => {
        let bytes = encodePacket(sent, claims.map(packedOf));
        for (const { at, byte, cut } of changes) {
          bytes = bytes.slice(0, Math.max(1, bytes.length - (cut > 15 ? cut - 15 : 0)));
          bytes[at % bytes.length] = byte;
        }
        const packet = decodePacket(bytes);
        if (!packet) return;
        const again = encodePacket(
          packet.message,
          packet.claims.map((claim) => (claim instanceof Uint8Array ? claim : packedOf(claim))),
        );
        expect(decodePacket(again)).toEqual(packet);
      },
    ),
    { numRuns: 2_000 },
  );
});

/** A packet's room is reckoned with a byte a character; what a node passes on must fit as reckoned. */
test.each<[string, Message, readonly Accusation[]]>([
  [
    'an accuser of three bytes a character',
    { kind: 'gossip' },
    [{ kind: 'dead', id: 'a', incarnation: { boot: 1, counter: 0 }, from: '☃'.repeat(63) }],
  ],
  [
    'a member whose name moves the cursor',
    { kind: 'gossip' },
    [{ kind: 'dead', id: 'a\u001b[2J', incarnation: { boot: 1, counter: 0 }, from: 'b' }],
  ],
  ['a target with a space', { kind: 'ping', sequence: 1, target: 'a b' }, []],
  [
    'a host that is none',
    { kind: 'ping-request', sequence: 1, target: 'a', address: { host: 'é', port: 1 }, remainingMs: 1 },
    [],
  ],
])('a packet that names %s is refused', (_, sent, claims) => {
  expect(decodePacket(encodePacket(sent, claims.map(packedOf)))).toBeUndefined();
});

describe('news', () => {
  const classes: readonly BroadcastClass[] = ['urgent', 'membership', 'digest'];
  const piece = fc.record({
    kind: fc.constantFrom(...classes),
    key: fc.integer({ min: 0, max: 60 }).map(String),
    bytes: fc.integer({ min: 20, max: 600 }).map((length) => new Uint8Array(length)),
  });

  test('fits beside every message, each piece is sent its number of times, and none twice in one packet', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 80 }),
        fc.array(message, { minLength: 1, maxLength: 5 }),
        (pieces, messages) => {
          const news = new Broadcasts();
          for (const { kind, key, bytes } of pieces) news.add(kind, key, bytes);
          const sends = new Map<unknown, number>();
          const last = new Set([...new Map(pieces.map((one) => [one.key, one.bytes])).values()]);
          expect(news.size).toBe(last.size);
          for (let round = 0; news.size > 0; round++) {
            expect(round).toBeLessThan(2_000);
            const around = messages[round % messages.length]!;
            const claims = news.take(roomBeside(around), 3);
            expect(encodePacket(around, claims).length).toBeLessThanOrEqual(packetBytes);
            expect(new Set(claims).size).toBe(claims.length);
            for (const claim of claims) sends.set(claim, (sends.get(claim) ?? 0) + 1);
          }
          expect(new Set(sends.keys())).toEqual(last);
          expect([...sends.values()].every((count) => count === 3)).toBe(true);
        },
      ),
    );
  });

  test('a farewell goes before hundreds of other pieces, and digests are not starved by them', () => {
    const news = new Broadcasts();
    const claim = (kind: number) => new Uint8Array(100).fill(kind);
    for (let at = 0; at < 300; at++) news.add('membership', `m${at}`, claim(1));
    for (let at = 0; at < 300; at++) news.add('digest', `d${at}`, claim(2));
    news.add('urgent', 'me', claim(0));
    const kinds = news.take(1_300, 10).map((packed) => (packed as Uint8Array)[0]);
    expect(kinds[0]).toBe(0);
    expect(kinds.filter((kind) => kind === 2).length).toBeGreaterThanOrEqual(3);
    expect(kinds.filter((kind) => kind === 1).length).toBeGreaterThanOrEqual(3);
  });

  test('what was said before of the same member is said no more', () => {
    const news = new Broadcasts();
    news.add('membership', 'a', new Uint8Array(30).fill(1));
    news.add('urgent', 'a', new Uint8Array(30).fill(2));
    expect(news.take(1_300, 10)).toEqual([new Uint8Array(30).fill(2)]);
  });

  test('more than it may hold is counted, not kept', () => {
    const news = new Broadcasts();
    for (let at = 0; at < 10_005; at++) news.add('membership', `m${at}`, new Uint8Array(30));
    expect([news.size, news.dropped]).toEqual([10_000, 5]);
  });

  test('what a member says of itself finds room and goes first, however full the queue is', () => {
    const news = new Broadcasts();
    const farewell = new Uint8Array(30).fill(1);
    for (let at = 0; at < 10_000; at++) news.add('membership', `m${at}`, new Uint8Array(30));
    news.add('urgent', 'me', farewell);
    expect([news.take(1_300, 10)[0], news.dropped]).toEqual([farewell, 0]);
    news.add('digest', 'records m1', new Uint8Array(30));
    expect(news.dropped).toBe(1);
  });
});
