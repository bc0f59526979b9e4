/** Which endpoints may be used: nobody who is suspected while there is somebody else, and somebody as long as anybody may live. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { usable, type Seen } from '../../../protocols/observed/balancing.ts';

const endpoint: fc.Arbitrary<Seen> = fc.record({
  slot: fc.constantFrom('shop/web.1', 'shop/web.2', 'shop/web.3'),
  placement: fc.integer({ min: 1, max: 3 }),
  ready: fc.boolean(),
  status: fc.constantFrom('alive', 'suspected', 'dead', 'left'),
  condition: fc.constantFrom('ready', 'stalled', 'away'),
});
const service = fc.array(endpoint, { maxLength: 8 });

const isWell = ({ ready, status, condition }: Seen): boolean =>
  ready && status === 'alive' && condition !== 'stalled';
const mayServe = ({ ready, status }: Seen): boolean => ready && ['alive', 'suspected'].includes(status);

test('what is used is ready and on a node that may live; a doubtful one only where there is no other', () => {
  fc.assert(
    fc.property(service, (all) => {
      const used = usable(all);
      expect(used.every((one) => all.includes(one) && mayServe(one))).toBe(true);
      if (all.some(isWell)) expect(used.every(isWell)).toBe(true);
      expect(used.length > 0).toBe(all.some(mayServe));
    }),
    { numRuns: 2_000 },
  );
});

test('suspicions, however many, never leave a service with nothing that was used before', () => {
  fc.assert(
    fc.property(service, fc.array(fc.nat(7)), (all, suspected) => {
      const later = all.map((one, at) =>
        suspected.includes(at) && one.status === 'alive' ? { ...one, status: 'suspected' as const } : one,
      );
      expect(usable(later).length > 0).toBe(usable(all).length > 0);
    }),
    { numRuns: 2_000 },
  );
});

test('of one slot that two nodes tell of, the later placement alone; every other slot keeps one', () => {
  fc.assert(
    fc.property(service, (all) => {
      const used = usable(all);
      const slots = (rows: readonly Seen[]) => new Set(rows.map(({ slot }) => slot));
      const pool = all.some(isWell) ? all.filter(isWell) : all.filter(mayServe);
      expect(slots(used)).toEqual(slots(pool));
      for (const { slot, placement } of used)
        expect(pool.some((one) => one.slot === slot && one.placement > placement)).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test.each<[string, Partial<Seen>, boolean]>([
  ['is used', {}, true],
  ['of a node that is away is used: it has announced its return', { condition: 'away' }, true],
  ['of a suspected node is not', { status: 'suspected' }, false],
  ['of a node that hangs is not', { condition: 'stalled' }, false],
  ['of a dead node is not', { status: 'dead' }, false],
  ['that is not ready is not', { ready: false }, false],
])('beside another one, an endpoint %s', (_what, more, expected) => {
  const one = { slot: 'shop/web.1', placement: 1, ready: true, status: 'alive', condition: 'ready' } as const;
  const other: Seen = { ...one, slot: 'shop/web.2' };
  const looked: Seen = { ...one, ...more };
  expect(usable([looked, other]).includes(looked)).toBe(expected);
});
