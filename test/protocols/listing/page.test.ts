/** Pages put together are the list, whatever its order, also while rows come and go. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodedError } from '../../../protocols/errors.ts';
import { pageOf, type Order } from '../../../protocols/listing/page.ts';

interface Row {
  readonly id: string;
  readonly size?: number | string;
}

const rowsOf = fc.uniqueArray(
  fc.record(
    { id: fc.string({ maxLength: 4 }), size: fc.oneof(fc.nat(3), fc.constantFrom('a', 'ä')) },
    { requiredKeys: ['id'] },
  ),
  { selector: ({ id }) => id, maxLength: 20 },
);
const orderOf = (sorted: boolean, descending: boolean): Order<Row> => ({
  key: ({ id }) => id,
  descending,
  ...(sorted ? { value: ({ size }: Row) => size } : {}),
});

function walk(listAt: (page: number) => readonly Row[], order: Order<Row>, limit: number): Row[] {
  const seen: Row[] = [];
  let token: string | undefined;
  for (let page = 0; ; page++) {
    const { rows, next } = pageOf(listAt(page), order, { limit, asked: 'x', ...(token ? { token } : {}) });
    expect(rows.length).toBeLessThanOrEqual(limit);
    seen.push(...rows);
    if (next === undefined) return seen;
    token = next;
  }
}

test('pages of any size make the whole, in order, once', () => {
  fc.assert(
    fc.property(
      rowsOf,
      fc.integer({ min: 1, max: 7 }),
      fc.boolean(),
      fc.boolean(),
      (rows, limit, sorted, down) => {
        const order = orderOf(sorted, down);
        const whole = pageOf(rows, order, { limit: 1_000, asked: 'x' }).rows;
        expect(walk(() => rows, order, limit)).toEqual(whole);
        expect(whole.map(({ id }) => id).sort()).toEqual(rows.map(({ id }) => id).sort());
      },
    ),
  );
});

test('a row that stays is seen once, though others come and go between the pages', () => {
  fc.assert(
    fc.property(rowsOf, rowsOf, fc.integer({ min: 1, max: 5 }), (stay, others, limit) => {
      const ids = new Set(stay.map(({ id }) => id));
      const passing = others.filter(({ id }) => !ids.has(id));
      const seen = walk(
        (page) => [...stay, ...passing.filter((_, at) => (at + page) % 2 === 0)],
        orderOf(true, false),
        limit,
      );
      for (const { id } of stay) expect(seen.filter((row) => row.id === id)).toHaveLength(1);
    }),
  );
});

test('a token of another question, or of nobody, is refused', () => {
  const rows = [{ id: 'a' }, { id: 'b' }];
  const order = orderOf(false, false);
  const { next } = pageOf(rows, order, { limit: 1, asked: 'x' });
  for (const [token, asked] of [
    [next!, 'y'],
    ['', 'x'],
    ['%%%', 'x'],
    ['bnVsbA', 'x'],
  ] as const) {
    expect(() => pageOf(rows, order, { limit: 1, asked, token })).toThrow(CodedError);
  }
});
