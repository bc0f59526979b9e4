/** The hash is the published one, sees every byte, and canonical JSON does not see key order. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, hashText, hashValue } from '../../protocols/hash.ts';

test('MurmurHash3 x86 128: published vectors', () => {
  expect(hashText('')).toBe('0'.repeat(32));
  expect(hashText("I will not buy this tobacconist's, it is scratched.")).toBe(
    '9b5b7ba2ef3f7866889adeaf00f3f98e',
  );
});

test('a change of one character at any place changes the hash', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 40 }), fc.nat(), (text, where) => {
      const at = where % text.length;
      const other = `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`;
      expect(hashText(other)).not.toBe(hashText(text));
    }),
  );
});

test('canonical JSON: key order and undefined do not count, everything else does', () => {
  expect(hashValue({ a: 1, b: { d: 2, c: [1, null] } })).toBe(
    hashValue({ b: { c: [1, null], d: 2 }, a: 1, e: undefined }),
  );
  expect(hashValue({ a: [1, 2] })).not.toBe(hashValue({ a: [2, 1] }));
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});
