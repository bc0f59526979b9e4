/** What the reader reads is what the codec would have read; of bytes from anywhere it takes nothing that the codec refuses. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePlain, encodePlain } from '../../../protocols/wire/codec.ts';
import { Reader } from '../../../protocols/wire/reader.ts';
import { Writer } from '../../../protocols/wire/writer.ts';
import { writeRow, type Row } from './row.ts';

const word = fc.stringMatching(/^[\x21-\x7e]{0,300}$/);
const natural = fc.oneof(
  fc.constantFrom(0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1),
  fc.nat(2 ** 31 - 1),
);
const value = fc.oneof(natural, word, fc.uint8Array({ maxLength: 300 }));
const row = fc.array(value, { maxLength: 20 });

/** As the form of `like` says. */
function read(bytes: Uint8Array, like: Row): Row | undefined {
  const reader = new Reader(bytes);
  if (reader.array() !== like.length) return undefined;
  const got = like.map((one) => {
    if (typeof one === 'number') return reader.natural();
    return typeof one === 'string' ? reader.word(300, 0) : reader.byteString(300);
  });
  return reader.good() ? got : undefined;
}

const written = (values: Row): Uint8Array => writeRow(new Writer(8_192), values);

test('what the writer and the codec wrote comes back', () => {
  fc.assert(
    fc.property(row, (values) => {
      expect(read(written(values), values)).toEqual(values);
      expect(read(encodePlain(values, 8_192), values)).toEqual(values);
    }),
  );
});

test('of bytes that were changed, cut or made longer it reads what the codec reads, or refuses them', () => {
  let taken = 0;
  fc.assert(
    fc.property(row, fc.nat(), fc.nat(255), fc.nat(), (values, at, byte, cut) => {
      const whole = written(values);
      const changed = Uint8Array.from(whole);
      changed[at % whole.length] = byte;
      for (const bytes of [
        changed,
        changed.subarray(0, cut % (whole.length + 1)),
        Uint8Array.of(...whole, byte),
      ]) {
        const got = read(bytes, values);
        if (got === undefined) continue;
        taken += 1;
        expect(decodePlain(bytes, 8_192)).toEqual(got);
      }
    }),
    { numRuns: 1_000 },
  );
  expect(taken).toBeGreaterThan(100);
});

test.each<[string, readonly number[], (reader: Reader) => unknown]>([
  ['an array that is longer than its bytes', [0xdc, 0xff, 0xff, 0x00], (reader) => reader.array()],
  ['a word that is longer than its bytes', [0xda, 0xff, 0xff, 0x41], (reader) => reader.word(70_000)],
  ['bytes that are longer than there are', [0xc5, 0xff, 0xff, 0x41], (reader) => reader.byteString(70_000)],
  ['a word with a sign for terminals', [0xa2, 0x1b, 0x5b], (reader) => reader.word(63)],
  ['half a number', [0xce, 0x01], (reader) => reader.natural()],
  ['a number that is too great', [0xcd, 0x01, 0x00], (reader) => reader.natural(255)],
  ['an empty word', [0xa0], (reader) => reader.word(63)],
  ['nothing', [], (reader) => reader.natural()],
  ['more than was asked for', [0x01, 0x02], (reader) => reader.natural()],
])('%s is refused', (_, bytes, ask) => {
  const reader = new Reader(Uint8Array.from(bytes));
  ask(reader);
  expect(reader.good()).toBe(false);
});
