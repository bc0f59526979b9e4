/** One watcher of the events: its place, resets and gaps told, bookmarks when it is time. */
import { expect, test } from 'vitest';
import { cursorOf } from '../../../../protocols/events/place.ts';
import { limits } from '../../../../protocols/limits.ts';
import { EventHub } from '../../../../runtime/api/lists/event-reader.ts';
import type { LoggedEvent, NodeHandle } from '../../../../runtime/node-handle.ts';
import { createEventLog, type EventStore } from '../../../../runtime/telemetry/events/event-log.ts';
import { HeapClock } from '../../../../runtime/world/heap-clock.ts';

const event = { type: 'slot.started', subject: 'shop/web.1', level: 'info', message: 'started' } as const;

function hubOf(capacity: number, store?: EventStore) {
  const clock = new HeapClock();
  const events = createEventLog(clock, { boot: 4, capacity, ...(store ? { store } : {}) });
  const node = { name: 'n1', clock, events } as unknown as NodeHandle;
  return { clock, events, hub: new EventHub(node) };
}

const short = (piece: string | Uint8Array | undefined): string[] =>
  String(piece ?? '')
    .trimEnd()
    .split('\n')
    .map((text) => {
      const line = JSON.parse(text) as Partial<LoggedEvent> & Record<string, unknown>;
      return line.seq === undefined ? Object.keys(line)[0]! : `${line.boot}.${line.seq}`;
    });

test('a reader that falls behind what is kept is told so, and goes on', () => {
  const { events, hub } = hubOf(3);
  const source = hub.open(events.last, 'ndjson', () => true);
  for (let i = 0; i < 2; i++) events.append(event);
  expect(short(source.next())).toEqual(['4.1', '4.2']);
  for (let i = 0; i < 9; i++) events.append(event);
  expect(short(source.next())).toEqual(['reset', '4.9', '4.10', '4.11']);
  expect(source.next()).toBeUndefined();
});

test('holes in what was kept are gaps, lost boots a reset', () => {
  const kept = [
    { ...event, boot: 1, seq: 1, at: 1 },
    { ...event, boot: 1, seq: 4, at: 1 },
    { ...event, boot: 3, seq: 1, at: 1 },
  ];
  const { events, hub } = hubOf(10, { kept, isWhole: true, append: () => {} });
  events.append(event);
  const source = hub.open({ boot: 0, seq: 0 }, 'ndjson', () => true);
  expect(short(source.next())).toEqual(['1.1', 'gap', '1.4', 'reset', '3.1', '4.1']);
});

test('who waits gets bookmarks, which carry it over events it does not want; the timer ends with the last watcher', async () => {
  const { clock, events, hub } = hubOf(10);
  const source = hub.open(events.last, 'sse', ({ subject }) => subject === 'blog/db.1');
  const told: string[] = [];
  source.follow(() => told.push(String(source.next() ?? '')));
  events.append(event);
  await clock.advance(limits.eventBookmarkMs);
  expect(told.join('')).toBe(
    `id: ${cursorOf('n1', { boot: 4, seq: 1 })}\nevent: bookmark\ndata: {"bookmark":"${cursorOf('n1', { boot: 4, seq: 1 })}"}\n\n`,
  );
  source.stop();
  expect([hub.count, clock.timers]).toEqual([0, 0]);
});

test('what happens at once wakes a watcher once', async () => {
  const { clock, events, hub } = hubOf(10);
  const source = hub.open(events.last, 'ndjson', () => true);
  const told: string[][] = [];
  source.follow(() => told.push(short(source.next())));
  for (let i = 0; i < 3; i++) events.append(event);
  await clock.advance(1);
  events.append(event);
  await clock.advance(1);
  expect(told).toEqual([['4.1', '4.2', '4.3'], ['4.4']]);
});
