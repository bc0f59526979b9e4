/** The codec gives back what it was given, shares nothing, and refuses what is not plain, too large or a trap. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodecError, decodePlain, encodePlain } from '../../../protocols/wire/codec.ts';
import { scan } from '../../../protocols/wire/scan.ts';

const MiB = 1_048_576;
const problemOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof CodecError) return error.problem;
    throw error;
  }
  return 'none';
};

const text = fc.string({ unit: 'grapheme' });
const { plain } = fc.letrec((tie) => ({
  plain: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.maxSafeInteger().map((n) => n + 0),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
    text,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('plain')),
    fc.dictionary(
      text.filter((key) => key !== '__proto__'),
      tie('plain'),
      { noNullPrototype: true },
    ),
  ),
}));

test('plain data comes back equal and apart', () => {
  fc.assert(
    fc.property(plain, (value) => {
      const bytes = encodePlain(value, MiB);
      const copy = decodePlain(bytes, MiB);
      expect(copy).toEqual(value);
      if (typeof value === 'object' && value !== null) expect(copy).not.toBe(value);
      bytes.fill(0xff);
      expect(copy).toEqual(value);
    }),
  );
});

test('absent properties are left out, as in JSON', () => {
  expect(decodePlain(encodePlain({ a: 1, b: undefined }, MiB), MiB)).toEqual({ a: 1 });
});

const cyclic: { self?: unknown } = {};
cyclic.self = cyclic;

test.each([
  ['undefined', undefined],
  ['undefined in an array', [undefined]],
  ['a hole', new Array(1)],
  ['a function', () => 1],
  ['a symbol', Symbol('x')],
  ['a bigint', 1n],
  ['NaN', NaN],
  ['infinity', { a: Infinity }],
  ['a date', new Date(0)],
  ['a map', new Map()],
  ['a class of ours', new (class Mine {})()],
  ['a cycle', cyclic],
  ['half a surrogate pair', '\ud83d'],
  ['half a surrogate pair in a key', { '\udc00': 1 }],
  ['a key that sets the prototype', JSON.parse('{"__proto__": 1}')],
])('%s is refused', (_name, value) => {
  expect(problemOf(() => encodePlain(value, MiB))).toBe('not-plain');
});

test('sizes are checked on both ways', () => {
  const bytes = encodePlain('x'.repeat(100), 102);
  expect(problemOf(() => encodePlain('x'.repeat(101), 102))).toBe('too-large');
  expect(problemOf(() => decodePlain(bytes, 101))).toBe('too-large');
});

test.each([
  ['nothing', []],
  ['an array of four billion items', [0xdd, 0xff, 0xff, 0xff, 0xff]],
  ['a map of four billion pairs', [0xdf, 0xff, 0xff, 0xff, 0xff]],
  ['a text longer than the rest', [0xd9, 0x10, 0x61]],
  ['a cut length', [0xdb, 0x00]],
  ['a date extension', [0xd6, 0xff, 0, 0, 0, 0]],
  ['a regular expression extension', [0xc7, 0x02, 0x78, 0xa1, 0x61]],
  ['a 64-bit integer', [0xcf, 0, 0, 0, 0, 0, 0, 0, 1]],
  ['a number as a key', [0x81, 0x01, 0x01]],
  ['bytes left over', [0xc0, 0xc0]],
  ['a never used type', [0xc1]],
  ['a tower of arrays', Array.from({ length: 2_000 }, () => 0x91).concat(0xc0)],
])('%s is malformed', (_name, bytes) => {
  expect(problemOf(() => decodePlain(Uint8Array.from(bytes), MiB))).toBe('malformed');
});

test('damaged and random bytes decode or are malformed, and never throw otherwise', () => {
  const damaged = fc.tuple(plain, fc.nat(), fc.nat({ max: 255 })).map(([value, at, byte]) => {
    const bytes = encodePlain(value, MiB);
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 64 })), (bytes) => {
      const problem = problemOf(() => decodePlain(bytes, MiB));
      expect(problem).toBe(scan(bytes) === undefined ? 'none' : 'malformed');
    }),
    { numRuns: 1_000 },
  );
});
