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

const short = (piece: string | undefined): string[] =>
  (piece ?? '')
    .trimEnd()
    .split('\n')
    .map((text) => {
      const line = JSON.parse(text) as Partial<LoggedEvent> & Record<string, unknown>;
      return line.seq === undefined ? Object.keys(line)[0]! : `${line.boot}.${line.seq}`;
    });

test('a reader that falls behind what is kept is told so, and goes on', async () => {
  const { events, hub } = hubOf(3);
  const source = hub.open(events.last, 'ndjson', () => true);
  for (let i = 0; i < 2; i++) events.append(event);
  expect(short(await source.take())).toEqual(['4.1', '4.2']);
  for (let i = 0; i < 9; i++) events.append(event);
  expect(short(await source.take())).toEqual(['reset', '4.9', '4.10', '4.11']);
  source.stop();
  expect(await source.take()).toBeUndefined();
});

test('holes in what was kept are gaps, lost boots a reset', async () => {
  const kept = [
    { ...event, boot: 1, seq: 1, at: 1 },
    { ...event, boot: 1, seq: 4, at: 1 },
    { ...event, boot: 3, seq: 1, at: 1 },
  ];
  const { events, hub } = hubOf(10, { kept, isWhole: true, append: () => {} });
  events.append(event);
  const source = hub.open({ boot: 0, seq: 0 }, 'ndjson', () => true);
  expect(short(await source.take())).toEqual(['1.1', 'gap', '1.4', 'reset', '3.1', '4.1']);
});

test('who waits gets bookmarks, which carry it over events it does not want; the timer ends with the last watcher', async () => {
  const { clock, events, hub } = hubOf(10);
  const source = hub.open(events.last, 'sse', ({ subject }) => subject === 'blog/db.1');
  const taken = source.take();
  events.append(event);
  await clock.advance(limits.eventBookmarkMs);
  expect(await taken).toBe(
    `id: ${cursorOf('n1', { boot: 4, seq: 1 })}\nevent: bookmark\ndata: {"bookmark":"${cursorOf('n1', { boot: 4, seq: 1 })}"}\n\n`,
  );
  source.stop();
  expect([hub.count, clock.timers]).toEqual([0, 0]);
});
