/**
 * All routes as one hono app: who may pass, how large a body may be, what errors look like, the OpenAPI document.
 * Knows nothing of sockets; `server.ts` puts it behind its doors.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import type { ZodError } from 'zod';
import { coded, reason, reasonOf, type CodedError } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { problemResponse } from './problem.ts';
import type { ApiContext, Env, Route } from './route.ts';
import { actorRoutes } from './routes/actors.ts';
import { appRoutes } from './routes/apps.ts';
import { containerRoutes } from './routes/containers.ts';
import { eventRoutes } from './routes/events.ts';
import { imageRoutes } from './routes/images.ts';
import { nodeRoutes } from './routes/node.ts';
import { mayPass } from './token.ts';

/** Every route that answers over plain HTTP; exec is a WebSocket. */
export const routes: readonly Route[] = [
  ...appRoutes,
  ...containerRoutes,
  ...imageRoutes,
  ...eventRoutes,
  ...actorRoutes,
  ...nodeRoutes,
];

export const execPath = '/v1/containers/{slot}/exec';

export interface AppOptions {
  /** Asked of every request; absent where the door itself is the lock, as the mode of a unix socket is. */
  readonly token?: string;
}

export type Answering = (request: Request) => Response | Promise<Response>;

export function createApp(context: ApiContext, { token }: AppOptions): Answering {
  const app = new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (!result.success) throw malformed(result.target, result.error);
    },
  });
  app.use(async (c, next) => {
    c.set('requestId', context.node.random.hex(8));
    await next();
    c.res.headers.set('x-request-id', c.get('requestId'));
    c.res.headers.set('x-content-type-options', 'nosniff');
    c.res.headers.set('cache-control', 'no-store');
    context.logger.debug({ method: c.req.method, path: c.req.path, status: c.res.status }, 'request');
  });
  app.use(async (c, next) => {
    if (token !== undefined && !mayPass(c.req.header('authorization'), token)) throw coded('HM-API-TOKEN');
    await next();
  });
  app.use((c, next) => {
    if (c.req.path !== importPath)
      mustBeSmall(c.req.header('content-length'), c.req.header('transfer-encoding'));
    return next();
  });
  for (const route of routes) route.register(app, context);
  app.get(execPath.replace('{slot}', ':slot'), () => {
    throw coded('HM-API-REQUEST', 'Exec is a WebSocket of the subprotocol v1.exec.hivemind');
  });
  describeExec(app);
  app.doc31('/v1/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Hivemind',
      version: context.node.version,
      license: { name: 'Apache-2.0' },
    },
    security: [{ token: [] }],
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  app.notFound((c) => {
    throw coded('HM-API-ROUTE', `There is no ${c.req.method} ${c.req.path}`);
  });
  app.onError((thrown, c) => {
    const because = thrown instanceof HTTPException ? ofHttp(thrown) : reasonOf(thrown);
    if (because.code === 'HM-INTERNAL')
      context.logger.error({ err: thrown, path: c.req.path }, 'a request failed');
    return problemResponse(because, c.get('requestId'));
  });
  return (request) => app.fetch(request);
}

/** Only archives may come without a length: of everything else it must be known before a byte is read. */
const importPath = '/v1/images/import';

function mustBeSmall(length: string | undefined, encoding: string | undefined): void {
  if (Number(length ?? 0) > limits.apiBodyBytes) {
    throw coded('HM-API-TOO-LARGE', undefined, { limitBytes: limits.apiBodyBytes });
  }
  if (encoding !== undefined) {
    throw coded('HM-API-REQUEST', 'A body in chunks has no length', {}, 'Send it with a content-length.');
  }
}

function malformed(target: string, { issues }: ZodError): CodedError {
  const [first] = issues;
  const at = [target === 'json' ? 'body' : target, ...(first?.path ?? [])].map(String).join('.');
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  return coded('HM-API-REQUEST', `${at}: ${first?.message ?? 'wrong'}${more}`, { at });
}

/** What hono itself refuses: a body that is not JSON. */
const ofHttp = (thrown: HTTPException) =>
  thrown.status < 500 ? reason('HM-API-REQUEST', thrown.message) : reasonOf(thrown);

function describeExec(app: OpenAPIHono<Env>): void {
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: execPath,
    summary: 'Run a command in a container: a WebSocket',
    description:
      'Subprotocol v1.exec.hivemind. First a text: {args, terminal, size?, environment?, user?, workingDir?}. Then binary frames, ' +
      'the first byte is the channel: 0 stdin, 1 stdout, 2 stderr, 3 status ({code} or {reason}), 4 resize ({columns, rows}), 5 stdin closed.',
    parameters: [{ name: 'slot', in: 'path', required: true, schema: { type: 'string' } }],
    responses: { 101: { description: 'the WebSocket is open' } },
  });
}
