/**
 * A route as a value: what it is called, what it takes, what it answers, what it does. From it come the validation of
 * requests, the OpenAPI document, and the schema that the tests hold every answer against. Conditions (`If-Match`),
 * tags and `Idempotency-Key` are kept here, for all routes alike.
 */
import { Readable } from 'node:stream';
import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { reasonOf } from '../../protocols/errors.ts';
import type { Call, Stop } from '../../protocols/ports.ts';
import type { NodeHandle } from '../node-handle.ts';
import type { Scope } from '../../protocols/security/tokens.ts';
import type { ApiContext, Env, Identity } from './context.ts';
import { ndjson, streamOf, type Format, type LineSource } from './lines.ts';
import { problemOf, problemType } from './problem.ts';
import { letGo, pulledAnswer, type PullSource } from './lists/pulled.ts';
import { assertConditions, isKnown, isMatched, notMatched, tagOf, wishesOf } from './rules/conditions.ts';
import { readableBody } from './rules/bodies.ts';
import { assertScope } from './rules/gate.ts';
import { answerHeaders, changeHeaders, queryHeaders } from './schemas/headers.ts';
import { declareOptional } from './schemas/optional.ts';
import { problemView } from './schemas/views.ts';

/** A request as a handler sees it: checked. */
export interface Ask<Params, Query, Body> {
  readonly node: NodeHandle;
  readonly context: ApiContext;
  readonly identity: Identity;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly raw: Request;
  /** For ports: named after the request, ends with the connection. */
  readonly call: Call;
  /** What `If-Match` wants the wish to be, for a command that compares it once more where nothing can come between. */
  readonly match?: readonly string[];
}

export interface Shape<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> {
  /** The operation's name in the document, for who makes clients of it: once given, never changed. */
  readonly id: string;
  readonly method: 'get' | 'put' | 'post' | 'delete';
  /** As OpenAPI writes it: `/v1/apps/{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** The body is bytes of this media type, read by the handler. */
  readonly upload?: string;
  /** Whose token may ask: `read` for GET and `write` for the rest unless said. */
  readonly scope?: Scope;
  /** For a change: the tag of what it changes, `undefined` when that is not there. It makes `If-Match` possible. */
  current?(ask: Ask<z.output<Params>, z.output<Query>, z.output<Body>>): Promise<string | undefined>;
}

export type Asked<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> = Ask<
  z.output<Params>,
  z.output<Query>,
  z.output<Body>
>;

export interface Route {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly scope: Scope;
  /** What a 200 holds; of a stream, one line. */
  readonly answer: z.ZodType;
  /** Of a list that can be watched: one line of it. */
  readonly line?: z.ZodType;
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
    /** The part of the answer that a change must have seen: what `If-Match` compares. All of it unless said. */
    readonly wished?: (answer: NoInfer<Answer>) => unknown;
    run(ask: Asked<Params, Query, Body>): Promise<NoInfer<Answer>> | NoInfer<Answer>;
  },
): Route {
  return define(shape, { 'application/json': shape.answer }, async (_c, ask) => {
    const answer = await shape.run(ask as Asked<Params, Query, Body>);
    const text = JSON.stringify(answer);
    const status = shape.status?.(answer) ?? 200;
    if (shape.method !== 'get' || status !== 200) return { status, text };
    return { status, text, tag: tagOf(text, shape.wished?.(answer)) };
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
  const media = [ndjsonType, ...Object.keys(shape.formats ?? {})];
  return define(shape, Object.fromEntries(media.map((type) => [type, shape.line])), async (c, ask) => {
    const accepted = Object.keys(shape.formats ?? {}).find((type) => c.req.header('accept')?.includes(type));
    const format = accepted === undefined ? ndjson : shape.formats![accepted]!;
    const source = await shape.run(ask as Asked<Params, Query, z.ZodType>);
    const closed = source.follow ? ask.context.streams.open() : () => {};
    return streamed(c, streamOf(source, format, closed), accepted ?? ndjsonType);
  });
}

/** A route that answers bytes as they come; who reads slowly slows the source down. */
export function bytesRoute<Params extends z.ZodObject = z.ZodObject, Query extends z.ZodObject = z.ZodObject>(
  shape: Shape<Params, Query, z.ZodType> & {
    readonly media: string;
    run(ask: Asked<Params, Query, z.ZodType>): Promise<AsyncIterable<Uint8Array>>;
  },
): Route {
  const bytes = z.string().openapi({ format: 'binary' });
  return define(shape, { [shape.media]: bytes }, async (c, ask) => {
    const closed = ask.context.streams.open();
    const source = await shape.run(ask as Asked<Params, Query, z.ZodType>).catch((thrown: unknown) => {
      closed();
      throw thrown;
    });
    const stream = Readable.from(source, { objectMode: false }).on('close', closed);
    return streamed(c, Readable.toWeb(stream) as ReadableStream<Uint8Array>, shape.media);
  });
}

export const ndjsonType = 'application/x-ndjson';
export const sseType = 'text/event-stream';

const streamHeaders = (type: string) => ({ 'content-type': type, 'x-accel-buffering': 'no' });

export function streamed(c: Context<Env>, body: ReadableStream<Uint8Array>, type: string): Response {
  return respond(c, 200, body, streamHeaders(type));
}

/** `closed` is called once when the stream is over, from whichever side. */
export function pulled(c: Context<Env>, source: PullSource, closed: Stop, type: string): Response {
  return pulledAnswer(respond(c, 200, null, streamHeaders(type)), source, closed);
}

/**
 * The one place where answers are made. Their headers are a plain object, not hono's `Headers`: with those an answer
 * costs twice as much.
 */
export function respond(
  c: Context<Env>,
  status: number,
  body: string | ReadableStream<Uint8Array> | null,
  headers: Readonly<Record<string, string>>,
): Response {
  const { replayed } = c.var;
  const all = {
    'x-request-id': c.var.requestId,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    ...(replayed === undefined ? {} : { 'idempotent-replayed': 'true' }),
    ...headers,
  };
  return new Response(body, { status, headers: all });
}

/** An answer of one piece. */
export interface Reply {
  readonly status: number;
  readonly text: string;
  /** JSON unless said. */
  readonly type?: string;
  readonly tag?: string;
}

export type Answering = (c: Context<Env>, ask: Ask<unknown, unknown, unknown>) => Promise<Reply | Response>;

/** `media`: what a 200 may be, by media type. */
export function define<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType>(
  shape: Shape<Params, Query, Body>,
  media: Readonly<Record<string, z.ZodType>>,
  answering: Answering,
  line?: z.ZodType,
): Route {
  const { id, method, path } = shape;
  const scope = shape.scope ?? (method === 'get' ? 'read' : 'write');
  declareOptional([shape.params, shape.query, shape.body, Object.values(media), problemView]);
  const content = Object.fromEntries(Object.entries(media).map(([type, schema]) => [type, { schema }]));
  const problem = { [problemType]: { schema: problemView } };
  const takes = shape.body ? 'json' : shape.upload === undefined ? undefined : 'bytes';
  const route = createRoute({
    method,
    path,
    operationId: id,
    summary: shape.summary,
    security: [{ token: [scope] }],
    ...(takes ? { middleware: [readableBody(takes)] } : {}),
    request: {
      headers: method === 'get' ? queryHeaders : changeHeaders,
      ...(shape.params ? { params: shape.params } : {}),
      // What is not known is refused: a filter with a slip would answer everything.
      query: (shape.query ?? z.object({})).strict(),
      ...bodyOf(shape),
    },
    responses: {
      200: { description: 'done', headers: answerHeaders, content },
      ...(method === 'get' ? { 304: { description: 'If-None-Match names what is there' } } : {}),
      default: { description: 'refused', headers: answerHeaders, content: problem },
    },
  });
  const register = (app: OpenAPIHono<Env>, context: ApiContext): void => {
    const handler = async (c: Context<Env>): Promise<Response> => {
      c.set('route', path);
      assertScope(c.get('identity'), scope);
      const ask = askOf(shape, c, context);
      if (method === 'get') return answered(c, await answering(c, ask));
      const change = async (): Promise<Reply | Response> => {
        const current = shape.current?.bind(shape, ask as Asked<Params, Query, Body>);
        await assertConditions(
          { ifMatch: c.req.header('if-match'), ifNoneMatch: c.req.header('if-none-match') },
          current,
        );
        const reply = await answering(c, ask);
        const tag = current && !(reply instanceof Response) ? await current() : undefined;
        return tag === undefined ? reply : { ...reply, tag };
      };
      const key = c.req.header('idempotency-key');
      if (method !== 'post' || key === undefined || shape.upload !== undefined)
        return answered(c, await change());
      return answered(c, await once(c, context, ask, key, change));
    };
    app.openapi(route, handler as never);
  };
  const answer = Object.values(media)[0]!;
  return { id, method, path, scope, answer, ...(line ? { line } : {}), register };
}

function askOf(
  shape: Shape<z.ZodObject, z.ZodObject, z.ZodType>,
  c: Context<Env>,
  context: ApiContext,
): Ask<unknown, unknown, unknown> {
  // The validators of the route have run; hono keeps what they made of the request by these names.
  const valid = (target: string): unknown => c.req.valid(target as never);
  const match =
    shape.method === 'get' ? undefined : wishesOf(c.req.header('if-match'), c.req.header('if-none-match'));
  return {
    node: context.node,
    context,
    identity: c.get('identity'),
    params: shape.params ? valid('param') : {},
    query: shape.query ? valid('query') : {},
    body: shape.body ? valid('json') : undefined,
    raw: c.req.raw,
    call: callOf(c),
    ...(match ? { match } : {}),
  };
}

/** Its signal is made when a port asks for it: most requests ask actors alone. */
function callOf(c: Context<Env>): Call {
  return {
    key: `api-${c.get('requestId')}`,
    get signal() {
      return c.req.raw.signal;
    },
  };
}

function answered(c: Context<Env>, reply: Reply | Response): Response {
  if (reply instanceof Response) {
    // Hono answers the head of it alone.
    if (c.req.method === 'HEAD') letGo(reply);
    return reply;
  }
  const { status, text, tag, type } = reply;
  const tagged = tag === undefined ? {} : { etag: tag };
  if (tag !== undefined && (c.req.method === 'GET' || c.req.method === 'HEAD')) {
    if (!isMatched(c.req.header('if-match'), tag)) throw notMatched(tag);
    if (isKnown(c.req.header('if-none-match'), tag)) return respond(c, 304, null, tagged);
  }
  return respond(c, status, text, { 'content-type': type ?? 'application/json', ...tagged });
}

/** A POST that names itself: done once, answered alike every time. */
async function once(
  c: Context<Env>,
  context: ApiContext,
  ask: Ask<unknown, unknown, unknown>,
  key: string,
  change: () => Promise<Reply | Response>,
): Promise<Reply | Response> {
  const scope = `${c.get('identity').name} ${c.req.path}`;
  const begun = context.idempotency.begin(scope, key, JSON.stringify([ask.query, ask.body]));
  if ('replay' in begun) {
    c.set('replayed', true);
    return begun.replay;
  }
  try {
    const reply = await change();
    begun.settle(reply instanceof Response ? undefined : { type: 'application/json', ...reply });
    return reply;
  } catch (thrown) {
    const problem = problemOf(reasonOf(thrown), { requestId: c.get('requestId'), path: c.req.path });
    begun.settle({ status: problem.status, type: problemType, text: JSON.stringify(problem) });
    throw thrown;
  }
}

function bodyOf({ body, upload }: { readonly body?: z.ZodType; readonly upload?: string }): object {
  if (body) return { body: { required: true, content: { 'application/json': { schema: body } } } };
  if (upload === undefined) return {};
  return { body: { content: { [upload]: { schema: { type: 'string', format: 'binary' } } } } };
}
