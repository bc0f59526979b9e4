/** Lines of a raw log file: over chunk borders, from an offset, cut when they are too long. */
import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import { allLines, readRange, splitLines, tailLines } from '../../../runtime/logs/lines.ts';

const folder = mkdtempSync(join(tmpdir(), 'hivemind-lines-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'stdout');

/** Lengths around the 64 KiB chunks that a file is read in. */
const length = fc.oneof(fc.nat(80), fc.integer({ min: 65_530, max: 65_536 }), fc.constant(30_000));

it('the newest lines are those that a plain split gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(length, { maxLength: 12 }),
      fc.boolean(),
      fc.nat(14),
      async (lengths, open, count) => {
        const texts = lengths.map((size, nth) => String(nth % 10).repeat(size));
        const bytes = texts.map((text) => `${text}\n`).join('') + (open ? 'open' : '');
        writeFileSync(path, bytes);
        const expected = [...texts, ...(open ? ['open'] : [])].slice(count === 0 ? Infinity : -count);
        const lines = await tailLines(path, 0, bytes.length, count);
        expect(lines.map(({ text }) => text.length)).toEqual(expected.map((text) => text.length));
        expect(lines.map(({ text }) => text)).toEqual(expected);
        const ends = lines.map(({ end }) => end);
        expect(ends).toEqual([...ends].sort((a, b) => a - b));
        if (lines.length > 0) expect(ends.at(-1)).toBe(bytes.length);
      },
    ),
    { numRuns: 60 },
  );
});

it('begins at an offset where the log was cut off, and ends where it is told', async () => {
  writeFileSync(path, 'gone\none\ntwo\nthree\n');
  expect((await tailLines(path, 5, 13, 10)).map(({ text }) => text)).toEqual(['one', 'two']);
  expect(await tailLines(path, 5, 5, 10)).toEqual([]);
});

it('a line that is too long becomes several, marked; a carriage return is no text', async () => {
  const long = 'x'.repeat(limits.logLineBytes + 10);
  const { lines, rest } = splitLines(Buffer.from(`${long}\nshort\r\n`), 100);
  expect(lines.map(({ text }) => text)).toEqual([
    `${long.slice(0, limits.logLineBytes)} …`,
    'x'.repeat(10),
    'short',
  ]);
  expect(lines.map(({ end }) => end)).toEqual([
    100 + limits.logLineBytes,
    100 + long.length + 1,
    100 + long.length + 8,
  ]);
  expect(rest).toHaveLength(0);
  // Without an end it is told before it fills memory.
  const open = splitLines(Buffer.from(long), 0);
  expect(open.lines).toHaveLength(1);
  expect(open.rest).toHaveLength(10);
});

it('enormous lines keep every byte in pieces of bounded size, and every character whole', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('é', '漢', '😀', 'x'),
      fc.integer({ min: 60_000, max: 400_000 }),
      (sign, size) => {
        const text = sign.repeat(Math.ceil(size / Buffer.byteLength(sign)));
        const { lines, rest } = splitLines(Buffer.from(text), 0);
        const pieces = [...lines.map((line) => line.text.slice(0, -2)), rest.toString()];
        expect(pieces.join('')).toBe(text);
        for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(limits.logLineBytes);
      },
    ),
    { numRuns: 20 },
  );
});

it('all lines of a file are those that a plain split gives, whatever the chunks', async () => {
  const texts = Array.from({ length: 30_000 }, (_, n) => `${n} ${'y'.repeat(n % 90)}`);
  const bytes = texts.map((text) => `${text}\n`).join('');
  writeFileSync(path, `${bytes}open`);
  const seen: string[] = [];
  for await (const lines of allLines(path, 0, bytes.length + 4)) seen.push(...lines.map(({ text }) => text));
  expect(seen).toEqual([...texts, 'open']);
});

it('a range that the file does not have is short', async () => {
  writeFileSync(path, 'abcdef');
  expect((await readRange(path, 2, 4)).toString()).toBe('cd');
  expect((await readRange(path, 4, 40)).toString()).toBe('ef');
});
