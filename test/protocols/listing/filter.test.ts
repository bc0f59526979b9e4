/** One grammar for every list and stream: what it keeps, and what it refuses. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CodedError } from '../../../protocols/errors.ts';
import { parseFilter } from '../../../protocols/listing/filter.ts';

interface Row {
  readonly name: string;
  readonly readiness: string;
  readonly restarts: number;
  readonly reason?: { readonly code: string };
}

const rows: readonly Row[] = [
  { name: 'shop/web.1', readiness: 'ready', restarts: 0 },
  { name: 'shop/web.2', readiness: 'unhealthy', restarts: 3, reason: { code: 'HM-HEALTH-FAILED' } },
  { name: 'blog/db.1', readiness: 'ready', restarts: 3 },
];
const known = ['name', 'readiness', 'restarts', 'reason', 'health'];
const fields = { health: (row: Row) => row.readiness };
const kept = (text: string) => rows.filter(parseFilter(text, fields, known)).map(({ name }) => name);

test.each<[string, string[]]>([
  ['', ['shop/web.1', 'shop/web.2', 'blog/db.1']],
  ['health:ready', ['shop/web.1', 'blog/db.1']],
  ['health:!ready', ['shop/web.2']],
  ['HEALTHY', ['shop/web.2']],
  ['!blog', ['shop/web.1', 'shop/web.2']],
  ['name:shop/*', ['shop/web.1', 'shop/web.2']],
  ['name:*.1', ['shop/web.1', 'blog/db.1']],
  ['name:s*b.2', ['shop/web.2']],
  ['name:shop/web.1,blog/db.1 restarts:3', ['blog/db.1']],
  ['reason.code:HM-HEALTH-FAILED', ['shop/web.2']],
  ['reason.none:x', []],
  ['name:shop/web.1*shop/web.1', []],
  ['"shop/web.1"', ['shop/web.1']],
])('%s', (text, expected) => {
  expect(kept(text)).toEqual(expected);
});

describe('refused, with what to write instead', () => {
  test.each<[string, RegExp, RegExp]>([
    ['helth:ready', /no field helth/, /Did you mean health\?/],
    ['zzz:1', /no field zzz/, /Fields: name, readiness/],
    ['name:', /empty value/, /app:web/],
    ['"open', /not closed/, /app:web/],
    ['x'.repeat(2_000), /at most/, /app:web/],
  ])('%s', (text, message, hint) => {
    try {
      kept(text);
      expect.unreachable();
    } catch (thrown) {
      const { reason } = thrown as CodedError;
      expect(reason).toMatchObject({ code: 'HM-API-REQUEST', message: expect.stringMatching(message) });
      expect(reason.hint).toMatch(hint);
    }
  });
});

test('any text is a filter or a coded refusal, and a term and its negation divide the rows', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (text) => {
      try {
        parseFilter(text, fields, known);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(CodedError);
      }
    }),
  );
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9./*]{1,8}$/), (word) => {
      expect([...kept(`name:${word}`), ...kept(`name:!${word}`)].sort()).toEqual(kept('').sort());
    }),
  );
});
