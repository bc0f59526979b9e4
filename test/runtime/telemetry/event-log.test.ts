/** The event log keeps the newest entries, numbered without gaps, and tells whoever watches. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEventLog } from '../../../runtime/telemetry/event-log.ts';

const event = { type: 'slot.started', subject: 'shop/web.1', level: 'info', message: 'started' } as const;
const logOf = (capacity?: number) => createEventLog({ now: () => 7 }, capacity);

test('an entry gets the next number and the time', () => {
  const log = logOf();
  expect(log.append(event)).toEqual({ ...event, seq: 1, at: 7 });
  expect(log.append(event).seq).toBe(2);
});

test('read answers the newest `limit` above `after`, oldest first, of what is still there', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.nat(20),
      fc.nat(25),
      fc.nat(12),
      (capacity, count, after, limit) => {
        const log = logOf(capacity);
        const all = Array.from({ length: count }, () => log.append(event));
        const kept = all.slice(-capacity).filter(({ seq }) => seq > after);
        expect(log.read({ after, limit })).toEqual(limit === 0 ? [] : kept.slice(-limit));
      },
    ),
  );
});

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
