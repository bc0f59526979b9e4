/** The passphrase is taken once, from a variable or a file, and never quoted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { takePassphrases } from '../../../runtime/config/passphrase.ts';

const dir = mkdtempSync(join(tmpdir(), 'hm-passphrase-'));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (text: string): string => {
  const path = join(dir, 'passphrase');
  writeFileSync(path, text);
  return path;
};

test('from a variable, which is gone afterwards', () => {
  const environment = { HIVEMIND_SECRET_PASSPHRASE: 'sesame' };
  expect(takePassphrases(environment)).toEqual(['sesame']);
  expect(environment).toEqual({});
});

test('from a file: the first line seals, all open', () => {
  expect(takePassphrases({ HIVEMIND_SECRET_PASSPHRASE_FILE: file('new\r\nold\n') })).toEqual(['new', 'old']);
  expect(takePassphrases({})).toEqual([]);
});

test.each([() => file('\n'), () => join(dir, 'absent')])('a file without one is refused (%#)', (path) => {
  expect(() => takePassphrases({ HIVEMIND_SECRET_PASSPHRASE_FILE: path() })).toThrow('HM-CONFIG');
});
