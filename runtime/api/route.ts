/**
 * A route as a value: what it is called, what it takes, what it answers, what it does. From it come the validation of
 * requests, the OpenAPI document, and the schema that the tests hold every answer against.
 */
import { createRoute, type OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { coded } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Call } from '../../protocols/ports.ts';
import type { NodeHandle } from '../node-handle.ts';
import type { Logger } from '../telemetry/logger.ts';
import { ndjson, streamOf, type Format, type LineSource } from './lines.ts';
import { problemType } from './problem.ts';
import { problemView } from './schemas/views.ts';

/** What the handlers work on. */
export interface ApiContext {
  readonly node: NodeHandle;
  /** Uploads wait here until they are imported. */
  readonly importDir: string;
  readonly logger: Logger;
  /** Streams that are open, exec sessions included; bounded by `limits.apiStreams`. */
  readonly streams: StreamCount;
}

export interface StreamCount {
  /** HM-API-BUSY when there are too many; otherwise what must be called once when the stream is over. */
  open(): () => void;
}

export interface Env {
  Variables: { requestId: string };
}

/** A request as a handler sees it: checked. */
export interface Ask<Params, Query, Body> {
  readonly node: NodeHandle;
  readonly context: ApiContext;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly raw: Request;
  /** For ports: named after the request, ends with the connection. */
  readonly call: Call;
}

interface Shape<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> {
  readonly method: 'get' | 'put' | 'post' | 'delete';
  /** As OpenAPI writes it: `/v1/apps/{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** The body is bytes of this media type, read by the handler. */
  readonly upload?: string;
}

type Asked<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> = Ask<
  z.output<Params>,
  z.output<Query>,
  z.output<Body>
>;

export interface Route {
  readonly method: string;
  readonly path: string;
  /** What a 200 holds; of a stream, one line. */
  readonly answer: z.ZodType;
  register(app: OpenAPIHono<Env>, context: ApiContext): void;
}

/** A route that answers one JSON value. `status` tells another one than 200 for some values. */
export function jsonRoute<
  Answer extends object,
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
>(
  shape: Shape<Params, Query, Body> & {
    readonly answer: z.ZodType<Answer>;
    readonly status?: (answer: NoInfer<Answer>) => 200 | 503;
    run(ask: Asked<Params, Query, Body>): Promise<NoInfer<Answer>> | NoInfer<Answer>;
  },
): Route {
  return define(shape, 'application/json', shape.answer, async (c, ask) => {
    const answer = await shape.run(ask as Asked<Params, Query, Body>);
    return c.json(answer, shape.status?.(answer) ?? 200);
  });
}

/** A route that answers lines, NDJSON unless `formats` knows what the client accepts better. */
export function lineRoute<
  Line extends object,
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
>(
  shape: Shape<Params, Query, z.ZodType> & {
    readonly line: z.ZodType<Line>;
    readonly formats?: Readonly<Record<string, Format<NoInfer<Line>>>>;
    run(ask: Asked<Params, Query, z.ZodType>): Promise<LineSource<NoInfer<Line>>> | LineSource<NoInfer<Line>>;
  },
): Route {
  const media = 'application/x-ndjson';
  return define(shape, media, shape.line, async (c, ask) => {
    const accepted = Object.keys(shape.formats ?? {}).find((type) => c.req.header('accept')?.includes(type));
    const format = accepted === undefined ? ndjson : shape.formats![accepted]!;
    const source = await shape.run(ask as Asked<Params, Query, z.ZodType>);
    const closed = source.follow ? ask.context.streams.open() : () => {};
    return c.body(streamOf(source, format, closed), 200, {
      'content-type': accepted ?? media,
      'x-accel-buffering': 'no',
    });
  });
}

type Answering = (c: Context<Env>, ask: Ask<unknown, unknown, unknown>) => Promise<Response>;

function define(
  shape: Shape<z.ZodObject, z.ZodObject, z.ZodType>,
  media: string,
  answer: z.ZodType,
  answering: Answering,
): Route {
  const { method, path } = shape;
  const route = createRoute({
    method,
    path,
    summary: shape.summary,
    request: {
      ...(shape.params ? { params: shape.params } : {}),
      ...(shape.query ? { query: shape.query } : {}),
      ...bodyOf(shape),
    },
    responses: {
      200: { description: 'done', content: { [media]: { schema: answer } } },
      default: { description: 'refused', content: { [problemType]: { schema: problemView } } },
    },
  });
  const register = (app: OpenAPIHono<Env>, context: ApiContext): void => {
    const handler = (c: Context<Env>) => {
      // The validators of the route have run; hono keeps what they made of the request by these names.
      const valid = (target: string): unknown => c.req.valid(target as never);
      const ask: Ask<unknown, unknown, unknown> = {
        node: context.node,
        context,
        params: shape.params ? valid('param') : {},
        query: shape.query ? valid('query') : {},
        body: shape.body ? valid('json') : undefined,
        raw: c.req.raw,
        call: { key: `api-${c.get('requestId')}`, signal: c.req.raw.signal },
      };
      return answering(c, ask);
    };
    app.openapi(route, handler as never);
  };
  return { method, path, answer, register };
}

function bodyOf({ body, upload }: Shape<z.ZodObject, z.ZodObject, z.ZodType>): object {
  if (body) return { body: { required: true, content: { 'application/json': { schema: body } } } };
  if (upload === undefined) return {};
  return { body: { content: { [upload]: { schema: { type: 'string', format: 'binary' } } } } };
}

export function createStreamCount(): StreamCount {
  let open = 0;
  return {
    open: () => {
      if (open >= limits.apiStreams)
        throw coded('HM-API-BUSY', `${open} streams are open`, { limit: limits.apiStreams });
      open += 1;
      let closed = false;
      return () => {
        if (!closed) open -= 1;
        closed = true;
      };
    },
  };
}
