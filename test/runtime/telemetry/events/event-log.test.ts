/** The event log keeps the newest entries, numbered within their boot, knows what it no longer has, and tells whoever watches. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { comparePlaces } from '../../../../protocols/events/place.ts';
import type { LoggedEvent } from '../../../../runtime/node-handle.ts';
import { createEventLog } from '../../../../runtime/telemetry/events/event-log.ts';

const event = { type: 'slot.started', subject: 'shop/web.1', level: 'info', message: 'started' } as const;
const logOf = (capacity?: number) =>
  createEventLog({ now: () => 7 }, { boot: 1, ...(capacity === undefined ? {} : { capacity }) });

test('an entry gets its boot, the next number and the time', () => {
  const log = logOf();
  expect(log.append(event)).toEqual({ ...event, boot: 1, seq: 1, at: 7 });
  expect(log.append(event).seq).toBe(2);
});

test('read answers the newest, or the first behind a place, of what is still there; the floor says what is not', () => {
  const kept = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.boolean()), { maxLength: 12 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      kept,
      fc.boolean(),
      fc.nat(12),
      fc.record({ boot: fc.nat(5), seq: fc.nat(14) }),
      fc.nat(12),
      (capacity, boots, isWhole, count, after, limit) => {
        const store = { kept: numbered(boots.map(([boot]) => boot)), isWhole, append: () => {} };
        const log = createEventLog({ now: () => 7 }, { boot: 4, store, capacity });
        const all = [...store.kept, ...Array.from({ length: count }, () => log.append(event))];
        const held = all.slice(-capacity);
        expect(log.read({ limit })).toEqual(limit === 0 ? [] : held.slice(-limit));
        const behind = held.filter((one) => comparePlaces(one, after) > 0);
        expect(log.read({ after, limit })).toEqual(behind.slice(0, limit));
        // Behind the floor nothing is missing.
        const missing = all.filter((one) => !held.includes(one));
        for (const one of missing) expect(comparePlaces(one, log.floor)).toBeLessThanOrEqual(0);
        for (const one of held) expect(comparePlaces(one, log.floor)).toBeGreaterThan(0);
      },
    ),
  );
});

/** Events of boots in order, each numbered from 1. */
function numbered(boots: readonly number[]): LoggedEvent[] {
  const counts = new Map<number, number>();
  return boots
    .toSorted((a, b) => a - b)
    .map((boot) => {
      counts.set(boot, (counts.get(boot) ?? 0) + 1);
      return { ...event, boot, seq: counts.get(boot)!, at: 1 };
    });
}

test('a watcher hears every entry until it stops, also when it stops while it is told', () => {
  const log = logOf(2);
  const heard: string[] = [];
  const stopFirst = log.watch(({ seq }) => {
    heard.push(`first ${seq}`);
    if (seq === 2) stopFirst();
  });
  log.watch(({ seq }) => heard.push(`second ${seq}`));
  for (let i = 0; i < 3; i++) log.append(event);
  expect(heard).toEqual(['first 1', 'second 1', 'first 2', 'second 2', 'second 3']);
});
