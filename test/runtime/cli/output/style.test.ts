/** Widths on a terminal, for any script; and nothing that others wrote moves its cursor or turns its text. */
import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { clip, pad, tidy, widthOf } from '../../../../runtime/cli/output/style.ts';

test.each([
  ['plain', 5],
  ['\u001b[32mgreen\u001b[0m', 5],
  ['é', 1],
  ['e\u0301', 1],
  ['服务', 4],
  ['🐝', 2],
  ['a\u200Bb', 2],
  ['\uFF21', 2],
  ['שלום', 4],
  ['', 0],
])('%j takes %i cells', (text, cells) => {
  expect(widthOf(text)).toBe(cells);
  expect(widthOf(pad(text, 12))).toBe(12);
});

it('clips to the width, colours or not', () => {
  const part = fc.constantFrom('a', '服', 'e\u0301', '🐝', '\u001b[31mr\u001b[0m', ' ');
  fc.assert(
    fc.property(fc.array(part), fc.integer({ min: 1, max: 12 }), (parts, width) => {
      const text = parts.join('');
      const cut = clip(text, width);
      expect(widthOf(cut)).toBeLessThanOrEqual(width);
      if (widthOf(text) <= width) expect(cut).toBe(text);
    }),
  );
});

test('what moves a cursor or turns the order of text is a space', () => {
  expect(tidy('a\u001b[2Jb')).toBe('a [2Jb');
  expect(tidy('user\u202Etxt.exe\u202C')).toBe('user txt.exe ');
  expect(tidy('two\nlines\u2028three')).toBe('two lines three');
  // What it is written with stays.
  expect(tidy('שלום 服务 🐝 e\u0301')).toBe('שלום 服务 🐝 e\u0301');
});
