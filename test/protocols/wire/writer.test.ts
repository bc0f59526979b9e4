/** What the writer writes, the one codec reads; and what is too long is refused before anything of it is kept. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePlain, encodePlain } from '../../../protocols/wire/codec.ts';
import { Writer } from '../../../protocols/wire/writer.ts';
import { writeRow } from './row.ts';

const natural = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.constantFrom(0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1),
);
const text = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'grapheme', maxLength: 80 }));
const bytes = fc.uint8Array({ maxLength: 300 });
const value = fc.oneof(natural, text, bytes);

test('what it writes comes back as it was, and is no longer than the codec would have it', () => {
  const writer = new Writer(100_000);
  fc.assert(
    fc.property(fc.array(value, { maxLength: 40 }), (values) => {
      const written = writeRow(writer, values);
      expect(decodePlain(written, 100_000)).toEqual(values);
      expect(written.length).toBeLessThanOrEqual(encodePlain(values, 100_000).length);
    }),
    { numRuns: 500 },
  );
});

test('too long: refused, and the next one begins anew', () => {
  const writer = new Writer(10);
  expect(() => writeRow(writer, ['longer than that'])).toThrow('more than 10 bytes');
  expect(() => writeRow(writer, [new Uint8Array(10)])).toThrow('more than 10 bytes');
  expect(decodePlain(writeRow(writer, [1, 'two']), 10)).toEqual([1, 'two']);
});
