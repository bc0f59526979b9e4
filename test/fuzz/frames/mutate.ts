/** Frames between nodes, spoiled: bytes turned, cut, joined, lengths that lie, and well-formed values in wrong places. */
import type { Random } from '../../../protocols/ports.ts';
import { encodePlain } from '../../../protocols/wire/codec.ts';
import { encodeFrame, type Frame } from '../../../protocols/wire/frames.ts';
import { reason } from '../../../protocols/errors.ts';

const because = reason('HM-STORE-LEASE', 'over', { lease: '9', n: 3, yes: true });
const body = encodePlain({ key: 'apps/shop', value: [1, 2, 3], nested: { deep: [{ er: null }] } }, 4_096);

/** One of each, as they are. */
export const good: readonly Frame[] = [
  { kind: 'hello', versions: [1, 1], boot: 7, life: 'abcd', dial: 3, now: 1_767_225_600_000 },
  { kind: 'welcome', version: 1, boot: 7, life: 'abcd', dial: 0, now: 1_767_225_600_000 },
  { kind: 'bye', why: 'closing', because },
  { kind: 'request', id: 1, type: 'test.ask', body },
  { kind: 'request', id: 2, type: 'test.rule', body },
  { kind: 'answer', id: 1, body },
  { kind: 'refusal', id: 1, because },
  { kind: 'tell', type: 'test.tell', body },
  { kind: 'tell', type: 'test.order', body },
  { kind: 'cancel', id: 1 },
  { kind: 'ping', count: 1 },
  { kind: 'pong', count: 1 },
];
const encoded = good.map(encodeFrame);

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[Math.floor(random.next() * items.length)]!;
}

const below = (random: Random, bound: number): number => Math.floor(random.next() * bound);

/** Heads that claim much: arrays, maps, texts and byte strings of up to 2³² items, and types that are not let through. */
const lies: readonly (readonly number[])[] = [
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xdf, 0xff, 0xff, 0xff, 0xff],
  [0xc6, 0xff, 0xff, 0xff, 0xff],
  [0xdb, 0xff, 0xff, 0xff, 0xff],
  [0xdc, 0xff, 0xff],
  [0xc7, 0x10, 0x72],
  [0xd4, 0x72, 0x40],
  [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xc1],
];

const nasty: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  2 ** 32,
  2 ** 53,
  1e308,
  '',
  'x'.repeat(5_000),
  'constructor',
  '\0',
  [],
  {},
  [[[[[[[[]]]]]]]],
  { constructor: { prototype: 1 } },
  new Uint8Array(0),
  new Uint8Array(70_000),
];

type Spoil = (random: Random, bytes: Uint8Array) => Uint8Array;

const spoils: readonly Spoil[] = [
  (random, bytes) => {
    const turned = bytes.slice();
    for (let times = 1 + below(random, 4); times > 0; times -= 1)
      turned[below(random, turned.length)]! ^= 1 << below(random, 8);
    return turned;
  },
  (random, bytes) => {
    const turned = bytes.slice();
    turned[below(random, turned.length)] = below(random, 256);
    return turned;
  },
  (random, bytes) => bytes.slice(0, below(random, bytes.length)),
  (random, bytes) => bytes.slice(below(random, bytes.length)),
  (random, bytes) => Buffer.concat([bytes, pick(random, encoded)]),
  (random, bytes) => {
    const at = below(random, bytes.length);
    return Buffer.concat([bytes.slice(0, at), Uint8Array.from(pick(random, lies)), bytes.slice(at)]);
  },
  (random, bytes) => {
    const at = below(random, bytes.length);
    return Buffer.concat([bytes.slice(0, at), pick(random, encoded).slice(below(random, 20))]);
  },
  // Nested beyond what anybody may: arrays of one array.
  (random) => new Uint8Array(50 + below(random, 3_000)).fill(0x91),
  (random) => Uint8Array.from({ length: below(random, 200) }, () => below(random, 256)),
];

/** A frame that is not as it should be, most of the time. */
export function spoiled(random: Random): Uint8Array {
  if (random.next() < 0.3) return misplaced(random);
  let bytes = pick(random, encoded);
  for (let times = 1 + below(random, 3); times > 0 && bytes.length > 0; times -= 1)
    bytes = pick(random, spoils)(random, bytes);
  return bytes;
}

/** Well-formed msgpack of an array, with a wrong value in it, too few, or too many. */
function misplaced(random: Random): Uint8Array {
  const values: unknown[] = [
    below(random, 12),
    ...Array.from({ length: 1 + below(random, 7) }, () =>
      random.next() < 0.5 ? below(random, 5) : pick(random, nasty),
    ),
  ];
  if (random.next() < 0.3)
    values[1 + below(random, values.length - 1)] = pick(random, ['test.ask', 'test.tell', 'test.rule']);
  if (random.next() < 0.3) values.push(body);
  return encodePlain(values, 1_000_000);
}
