/** The event log: a page of it, or a stream that goes on. A cursor whose events are gone is a 410, never silence. */
import { z } from '@hono/zod-openapi';
import { comparePlaces, cursorOf, placeOf, type EventPlace } from '../../../../protocols/events/place.ts';
import { parseTopics } from '../../../../protocols/events/topics.ts';
import { coded } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import { parseFilter } from '../../../../protocols/listing/filter.ts';
import type { LoggedEvent, NodeHandle } from '../../../node-handle.ts';
import { seen } from '../../lists/event-reader.ts';
import { define, jsonRoute, ndjsonType, pulled, sseType } from '../../route.ts';
import { lineCount } from '../../schemas/query.ts';
import { eventMark, eventView } from '../../schemas/views.ts';

const chosen = z.object({
  cursor: z
    .exactOptional(z.string().min(1).max(512))
    .openapi({ description: 'only what is behind it: the cursor of an event, a bookmark or a page' }),
  topic: z
    .exactOptional(z.string().max(limits.apiFilterChars))
    .openapi({ description: 'a type or its first word, and what it is about', example: 'slot:shop/*,node' }),
  filter: z.exactOptional(z.string().max(limits.apiFilterChars)).openapi({ example: 'level:!info' }),
});

const fields = ['boot', 'seq', 'at', 'type', 'subject', 'level', 'message', 'reason', 'details'];

function testOf({ topic, filter }: z.output<typeof chosen>): (event: LoggedEvent) => boolean {
  const isTopic = topic === undefined ? undefined : parseTopics(topic);
  const passes = filter === undefined ? undefined : parseFilter<LoggedEvent>(filter, {}, fields);
  return (event) => (isTopic?.(event) ?? true) && (passes?.(event) ?? true);
}

/** HM-EVENTS-EXPIRED unless everything behind the place is kept. */
function covered({ events, name }: NodeHandle, cursor: string): EventPlace {
  const place = placeOf(name, cursor);
  const oldest = cursorOf(name, events.floor);
  if (comparePlaces(place, events.floor) < 0)
    throw coded('HM-EVENTS-EXPIRED', 'Events behind this cursor are no longer kept', { oldest });
  if (comparePlaces(place, events.last) > 0)
    throw coded('HM-EVENTS-EXPIRED', 'The cursor is of a log that is no more', { oldest });
  return place;
}

const page = jsonRoute({
  id: 'listEvents',
  method: 'get',
  path: '/v1/events',
  summary: 'The newest events, or the first behind a cursor; oldest first, with the cursor to go on from',
  query: chosen.extend({ limit: lineCount(100) }),
  answer: z.strictObject({ events: z.array(eventView).readonly(), cursor: z.string() }),
  run: ({ node, query }) => {
    const wants = testOf(query);
    const { cursor, limit } = query;
    const after = cursor === undefined ? undefined : covered(node, cursor);
    const all = node.events.read({ limit: limits.eventLog, ...(after ? { after } : {}) });
    const wanted = all.filter(wants);
    const events = after ? wanted.slice(0, limit) : limit === 0 ? [] : wanted.slice(-limit);
    // Behind what was told; when that was all there is, behind all of it.
    const isAll = !after || events.length === wanted.length;
    const last = isAll ? node.events.last : (events.at(-1) ?? after);
    return { events: events.map((event) => seen(node.name, event)), cursor: cursorOf(node.name, last) };
  },
});

const line = z.union([eventView, eventMark]);

const stream = define(
  {
    id: 'streamEvents',
    method: 'get',
    path: '/v1/events/stream',
    summary: 'Events as they happen, from behind a cursor on or from now on: NDJSON, or server-sent events',
    query: chosen,
  },
  { [ndjsonType]: line, [sseType]: line },
  async (c, { node, context, query, raw }) => {
    const wish = query as z.output<typeof chosen>;
    const wants = testOf(wish);
    const cursor = wish.cursor ?? raw.headers.get('last-event-id') ?? undefined;
    const place = cursor === undefined ? node.events.last : covered(node, cursor);
    const isSse = c.req.header('accept')?.includes(sseType) ?? false;
    const closed = context.streams.open();
    const source = context.events.open(place, isSse ? 'sse' : 'ndjson', wants);
    return pulled(c, source, closed, isSse ? sseType : ndjsonType);
  },
);

export const eventRoutes = [page, stream];
