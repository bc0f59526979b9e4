/** Datagrams that only the cluster reads and writes, each once (M9, X1). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cipherOf, simulatedCipher } from '../../../runtime/simulation/membership/cipher.ts';
import { aesGcm } from '../../../transport/secure/aes-gcm.ts';
import { KeyRing, ringKey } from '../../../transport/secure/key-ring.ts';
import { ReplayWindow } from '../../../transport/secure/replay-window.ts';
import { firstCounterAt, sealBytes, SealedDatagrams } from '../../../transport/secure/sealed-datagrams.ts';
import { CodedError } from '../../../protocols/errors.ts';
import { packetBytes } from '../../../protocols/membership/packets.ts';

const key = (fill: number) => ringKey(new Uint8Array(32).fill(fill));
const ids = ['aa', 'bb', 'cc'].map((pair) => pair.repeat(16));
const text = (words: string) => new TextEncoder().encode(words);

describe.each([
  ['AES-256-GCM', aesGcm],
  ['the checksum of the simulation', simulatedCipher],
])('sealed by %s', (_name, cipher) => {
  const party = (
    who: number,
    options: { ring?: KeyRing; label?: string; boot?: number; beganMs?: number } = {},
  ): SealedDatagrams => {
    const { ring = new KeyRing([key(1)]), label = 'shop', boot = 1, beganMs = 0 } = options;
    const firstCounter = firstCounterAt(beganMs);
    return new SealedDatagrams({ cipher, ring, label, id: ids[who]!, boot, firstCounter });
  };

  test('a packet comes back with its sender, and a packet of full length is a datagram of 1,400 bytes at most', () => {
    const [a, b] = [party(0, { boot: 7 }), party(1)];
    expect(b.open(a.seal(text('hello')))).toEqual({ id: ids[0], boot: 7, bytes: Buffer.from('hello') });
    expect(packetBytes + sealBytes).toBeLessThanOrEqual(1_400);
    expect(a.seal(new Uint8Array(packetBytes)).length).toBe(packetBytes + sealBytes);
  });

  test.each([
    ['another key', { ring: new KeyRing([key(2)]) }, 'unknown-key'],
    [
      'a key that bears the name of ours',
      { ring: new KeyRing([{ ...key(2), name: key(1).name }]) },
      'not-authentic',
    ],
    ['another label', { label: 'other' }, 'not-authentic'],
    ['a label that ours begins with', { label: 'sho' }, 'not-authentic'],
  ])('of a cluster with %s nothing is read', (_, options, refused) => {
    expect(party(1).open(party(0, options).seal(text('hello')))).toBe(refused);
  });

  test('how far a sender has come is known of packets that counted', () => {
    const [a, b] = [party(0, { boot: 3, beganMs: 1 }), party(1)];
    expect([a.furthestOf(ids[0]!), b.furthestOf(ids[0]!)]).toEqual([{ boot: 3, counter: 1_023 }, undefined]);
    const packets = [a.seal(text('one')), a.seal(text('two'))];
    for (const packet of packets.toReversed()) b.open(packet);
    b.open(party(0, { boot: 2, beganMs: 9 }).seal(text('former')));
    b.open(
      party(0, { boot: 9, ring: new KeyRing([{ ...key(2), name: key(1).name }]) }).seal(text('made up')),
    );
    expect([a.furthestOf(ids[0]!), b.furthestOf(ids[0]!)]).toEqual([
      { boot: 3, counter: 1_025 },
      { boot: 3, counter: 1_025 },
    ]);
  });

  test('no two packets are alike', () => {
    const a = party(0);
    expect(a.seal(text('hello'))).not.toEqual(a.seal(text('hello')));
  });

  test('a packet counts once, in whatever order packets arrive', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...Array(60).keys(), ...Array(60).keys()], { minLength: 30 }),
        (order) => {
          const [a, b] = [party(0), party(1)];
          const packets = Array.from({ length: 60 }, (_, at) => a.seal(Uint8Array.of(at)));
          const read = order.map((at) => b.open(packets[at]!)).filter((opened) => typeof opened !== 'string');
          expect(read.map(({ bytes }) => bytes[0])).toEqual([...new Set(order)]);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('a boot that is counted twice, because the journal was lost, is heard at once, and no packet is like a former one', () => {
    const beganMs = Date.UTC(2248, 0);
    const [first, second, b] = [party(0, { beganMs }), party(0, { beganMs: beganMs + 1_000 }), party(1)];
    const before = Array.from({ length: 3_000 }, () => first.seal(text('hello')));
    for (const packet of before) expect(b.open(packet)).toMatchObject({ boot: 1 });
    const packet = second.seal(text('hello'));
    expect(before).not.toContainEqual(packet);
    expect(b.open(packet)).toMatchObject({ boot: 1 });
    expect(b.open(before[0]!)).toBe('replayed');
  });

  test('packets of a former life are refused once the next one spoke', () => {
    const [old, next, b] = [party(0, { boot: 1 }), party(0, { boot: 2 }), party(1)];
    const kept = old.seal(text('old'));
    expect(b.open(old.seal(text('old')))).toMatchObject({ boot: 1 });
    expect(b.open(next.seal(text('new')))).toMatchObject({ boot: 2 });
    expect(b.open(kept)).toBe('former-life');
  });

  test('whatever is changed, cut or made up is refused, and nothing is remembered of it', () => {
    const [a, b] = [party(0), party(1)];
    const packet = a.seal(text('a packet of some length'));
    for (let at = 0; at < packet.length; at++) {
      for (const bit of [1, 0x80]) {
        const forged = Uint8Array.from(packet);
        forged[at]! ^= bit;
        expect(typeof b.open(forged)).toBe('string');
      }
      expect(typeof b.open(packet.subarray(0, at))).toBe('string');
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_500 }), (bytes) => {
        expect(typeof b.open(bytes)).toBe('string');
      }),
      { numRuns: 2_000 },
    );
    expect(b.open(packet)).toMatchObject({ id: ids[0] });
  });

  describe('rotation', () => {
    test('key by key, at each party in its own time, no packet is lost', () => {
      const [old, fresh] = [key(1), key(2)];
      const parties = ids.map((_, who) => party(who, { ring: new KeyRing([old]) }));
      const rings = parties.map(() => new KeyRing([old]));
      const steps: ((ring: KeyRing) => KeyRing)[] = [
        (ring) => ring.with(fresh),
        (ring) => ring.using(fresh.name),
        (ring) => ring.without(old.name),
      ];
      const everyoneReadsEveryone = () => {
        for (const from of parties) {
          for (const to of parties)
            if (to !== from) expect(to.open(from.seal(text('x')))).toMatchObject({ boot: 1 });
        }
      };
      for (const step of steps) {
        for (const [who, one] of parties.entries()) {
          rings[who] = step(rings[who]!);
          one.rotate(rings[who]!);
          everyoneReadsEveryone();
        }
      }
      expect(parties[0]!.open(party(1, { ring: new KeyRing([old]), boot: 2 }).seal(text('x')))).toBe(
        'unknown-key',
      );
    });
  });
});

test('no byte of the text shows', () => {
  const seal = new SealedDatagrams({
    cipher: aesGcm,
    ring: new KeyRing([key(1)]),
    label: 'shop',
    id: ids[0]!,
    boot: 1,
  });
  expect(Buffer.from(seal.seal(text('hello'))).includes('hello')).toBe(false);
});

test('one seed of eight runs with the cipher of real clusters', () => {
  const drawn = Array.from({ length: 80 }, (_, seed) => cipherOf(seed));
  expect(drawn.filter((cipher) => cipher === aesGcm)).toHaveLength(10);
});

describe('a ring of keys', () => {
  test.each<[string, () => unknown]>([
    ['an empty ring', () => new KeyRing([])],
    ['a short key', () => ringKey(new Uint8Array(16))],
    ['to use what is not there', () => new KeyRing([key(1)]).using(key(2).name)],
    ['to remove the one in use', () => new KeyRing([key(1), key(2)]).without(key(1).name)],
    ['nine keys', () => new KeyRing(Array.from({ length: 9 }, (_, at) => key(at)))],
  ])('refuses %s', (_, wrong) => {
    expect(wrong).toThrow(CodedError);
    expect(wrong).toThrow(
      expect.objectContaining({ reason: expect.objectContaining({ code: 'HM-GOSSIP-KEY' }) }),
    );
  });
});

test('the window takes each counter once, and none that it cannot remember', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 400 }), (counters) => {
      const window = new ReplayWindow();
      const seen = new Set<number>();
      let highest = -1;
      for (const counter of counters) {
        const expected = !seen.has(counter) && counter > highest - 1_024;
        expect(window.take(counter)).toBe(expected);
        seen.add(counter);
        highest = Math.max(highest, counter);
      }
    }),
  );
});
