/** Keys are ordered by their bytes, whatever JavaScript thinks of them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { prefixEnd } from '../../../protocols/state/keys.ts';
import { compareKeys, lowerBound, utf8Bytes } from '../../../protocols/state/order.ts';

const text = fc.string({ unit: 'binary' });

test('the order is that of the UTF-8 bytes', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      const bytes = Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect(Math.sign(compareKeys(a, b))).toBe(bytes);
      expect(utf8Bytes(a)).toBe(Buffer.byteLength(a));
    }),
    { numRuns: 2_000 },
  );
  expect(compareKeys('\u{10000}', '\uffff')).toBeGreaterThan(0);
});

test('the lower bound is where a key belongs', () => {
  fc.assert(
    fc.property(fc.array(text), text, (keys, key) => {
      const sorted = keys.sort(compareKeys);
      const index = lowerBound(sorted, key);
      expect(sorted.slice(0, index).every((before) => compareKeys(before, key) < 0)).toBe(true);
      expect(sorted.slice(index).every((after) => compareKeys(after, key) >= 0)).toBe(true);
    }),
  );
});

test('a prefix ends where the keys with it end, and is not changed', () => {
  fc.assert(
    fc.property(text, text, fc.boolean(), (prefix, rest, under) => {
      const key = under ? prefix + rest : rest;
      const bytes = Buffer.from(prefix);
      const end = prefixEnd(bytes);
      expect(bytes).toEqual(Buffer.from(prefix));
      expect(end === undefined).toBe(prefix === '');
      const k = Buffer.from(key);
      const inside = Buffer.compare(k, bytes) >= 0 && (end === undefined || Buffer.compare(k, end) < 0);
      expect(inside).toBe(key.startsWith(prefix));
    }),
  );
  expect(prefixEnd(new Uint8Array([1, 0xff]))).toEqual(new Uint8Array([2]));
  expect(prefixEnd(new Uint8Array([0xff, 0xff]))).toBeUndefined();
});
