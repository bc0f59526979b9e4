/** The event log: a page of it, or a stream that goes on. A cursor that is no longer kept gives a `gap`, never silence. */
import { z } from '@hono/zod-openapi';
import { limits } from '../../../protocols/limits.ts';
import type { EventLog, LoggedEvent } from '../../node-handle.ts';
import type { Format, Gap, LineSource } from '../lines.ts';
import { jsonRoute, lineRoute } from '../route.ts';
import { cursor, lineCount } from '../schemas/query.ts';
import { eventView, gapView } from '../schemas/views.ts';

const page = jsonRoute({
  method: 'get',
  path: '/v1/events',
  summary: 'The newest events, oldest first; after: only those behind this number',
  query: z.object({ after: z.exactOptional(cursor), limit: lineCount(100) }),
  answer: z.strictObject({ events: z.array(eventView).readonly() }),
  run: ({ node, query: { after, limit } }) => ({
    events: node.events.read({ limit, ...(after === undefined ? {} : { after }) }),
  }),
});

const isGap = (line: LoggedEvent | Gap): line is Gap => 'gap' in line;

/** Server-sent events: the number is the id, so a browser that comes back says where it was. */
const sse: Format<LoggedEvent | Gap> = (line) =>
  isGap(line)
    ? `event: gap\ndata: ${JSON.stringify(line)}\n\n`
    : `id: ${line.seq}\nevent: ${line.type}\ndata: ${JSON.stringify(line)}\n\n`;

const stream = lineRoute({
  method: 'get',
  path: '/v1/events/stream',
  summary: 'Events as they happen, from behind a number on or from now on: NDJSON, or server-sent events',
  query: z.object({ after: z.exactOptional(cursor) }),
  line: z.union([eventView, gapView]),
  formats: { 'text/event-stream': sse },
  run: ({ node, query, raw }) => eventsFrom(node.events, query.after ?? lastEventId(raw)),
});

function lastEventId(request: Request): number | undefined {
  const id = request.headers.get('last-event-id');
  return id !== null && /^\d{1,15}$/.test(id) ? Number(id) : undefined;
}

function eventsFrom(events: EventLog, after: number | undefined): LineSource<LoggedEvent | Gap> {
  const follow = (push: (line: LoggedEvent | Gap) => void) => events.watch(push);
  const present = () => {
    if (after === undefined) return [];
    const kept = events.read({ after, limit: limits.eventLog });
    const missing = (kept[0]?.seq ?? after + 1) - after - 1;
    return missing > 0 ? [{ gap: missing }, ...kept] : kept;
  };
  return { present, follow };
}

export const eventRoutes = [page, stream];
