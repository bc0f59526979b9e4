/**
 * All routes as one hono app: who may pass, how large a body may be, what errors look like, the OpenAPI document.
 * Knows nothing of sockets; `server.ts` puts it behind its doors.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import type { ZodError } from 'zod';
import { coded, reason, reasonOf, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { notLeading } from '../cluster/leading.ts';
import { withApiPlace } from '../observed/api-places.ts';
import type { ApiContext, Env, Identity } from './context.ts';
import { MalformedError, problemHeaders, problemOf, type Fault } from './problem.ts';
import { respond, type Route } from './route.ts';
import { boundLength } from './rules/bodies.ts';
import { admitted, openGate, type Gate } from './rules/gate.ts';
import { refusalOf } from './rules/methods.ts';
import { actorRoutes } from './routes/node/actors.ts';
import { appRoutes } from './routes/apps.ts';
import { containerRoutes } from './routes/containers.ts';
import { runningRoutes } from './routes/running.ts';
import { eventRoutes } from './routes/node/events.ts';
import { imageRoutes } from './routes/images.ts';
import { networkRoutes } from './routes/networks.ts';
import { nodeRoutes } from './routes/node/node.ts';
import { planRoutes } from './routes/plans.ts';
import { clusterRoutes } from './routes/node/cluster.ts';
import { trafficRoutes } from './routes/node/traffic.ts';
import { memberRoutes } from './routes/node/nodes.ts';
import { joiningRoutes } from './routes/node/joining.ts';
import { secretRoutes } from './routes/secrets.ts';
import { serviceRoutes } from './routes/services.ts';
import { tokenRoutes } from './routes/node/tokens.ts';
import { volumeRoutes } from './routes/volumes.ts';

/** Every route that answers over plain HTTP; exec and port-forward are WebSockets. */
export const routes: readonly Route[] = [
  ...appRoutes,
  ...planRoutes,
  ...containerRoutes,
  ...runningRoutes,
  ...imageRoutes,
  ...networkRoutes,
  ...secretRoutes,
  ...serviceRoutes,
  ...volumeRoutes,
  ...clusterRoutes,
  ...trafficRoutes,
  ...joiningRoutes,
  ...memberRoutes,
  ...tokenRoutes,
  ...eventRoutes,
  ...actorRoutes,
  ...nodeRoutes,
];

const documentPath = '/v1/openapi.json';
export const execPath = '/v1/containers/{slot}/exec';
export const forwardPath = '/v1/containers/{slot}/port-forward';

export interface AppOptions {
  /** Names the door in its limits. */
  readonly door: string;
  /** Asked of every request; absent where the door itself is the lock, as the mode of a unix socket is. */
  readonly gate?: Gate;
}

/** `client`: the address of who asks, where the door knows one. */
export type Answering = (request: Request, client?: string) => Response | Promise<Response>;

interface Bindings {
  readonly client?: string;
}

const unrouted = refusalOf([
  ...routes,
  ...[execPath, forwardPath, documentPath].map((path) => ({ method: 'get', path })),
]);

const methodsThatRead: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export function createApp(context: ApiContext, { door, gate = openGate }: AppOptions): Answering {
  const app = new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (!result.success) throw malformed(result.target, result.error);
    },
  });
  app.use(async (c, next) => {
    c.set('requestId', context.requestId());
    const from = context.node.clock.monotonicMs();
    await next();
    const seconds = (context.node.clock.monotonicMs() - from) / 1_000;
    context.counts.request(c.get('route') ?? 'other', c.req.method, c.res.status, seconds);
    context.logger.debug({ method: c.req.method, path: c.req.path, status: c.res.status }, 'request');
  });
  app.use((c, next) => {
    const { client = '' } = (c.env ?? {}) as Bindings;
    const authorization = c.req.header('authorization');
    const isChange = !methodsThatRead.has(c.req.method);
    c.set('identity', admitted(gate, context.rates, { door, client, authorization, isChange }));
    boundLength(c);
    return next();
  });
  for (const route of routes) route.register(app, context);
  app.get(execPath.replace('{slot}', ':slot'), () => {
    throw coded('HM-API-REQUEST', 'Exec is a WebSocket of the subprotocol v1.exec.hivemind');
  });
  app.get(forwardPath.replace('{slot}', ':slot'), () => {
    throw coded('HM-API-REQUEST', 'Port-forward is a WebSocket of the subprotocol v1.port-forward.hivemind');
  });
  describeWebSockets(app);
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  app.doc31(documentPath, documentHead(context.node.version));
  app.notFound((c) => {
    throw unrouted(c.req.method, c.req.path);
  });
  app.onError(async (thrown, c) => {
    const told = thrown instanceof HTTPException ? ofHttp(thrown) : asAsked(context, reasonOf(thrown));
    const because = await withApiPlace(context.node, told);
    if (because.code === 'HM-INTERNAL')
      context.logger.error({ err: thrown, path: c.req.path }, 'a request failed');
    const identity: Identity | undefined = c.get('identity');
    if (because.code === 'HM-API-SCOPE' && identity) {
      const { method, path } = c.req;
      context.audit.refused(identity, { method, path, route: c.get('route') ?? 'other' }, because);
    }
    const faults = thrown instanceof MalformedError ? thrown.faults : [];
    const problem = problemOf(because, { requestId: c.get('requestId'), path: c.req.path, faults });
    return respond(c, problem.status, JSON.stringify(problem), problemHeaders(because));
  });
  return (request, client) => app.fetch(request, client === undefined ? {} : { client });
}

const documentHead = (version: string) => ({
  openapi: '3.1.0',
  info: { title: 'Hivemind', version, license: { name: 'Apache-2.0' } },
  security: [{ token: [] }],
});

/** The document as a node answers it, without a node. */
export function openApiDocument(version: string): object {
  const app = new OpenAPIHono<Env>();
  // Registering describes; the context is for what is asked later.
  for (const route of routes) route.register(app, undefined as never);
  describeWebSockets(app);
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  return app.getOpenAPI31Document(documentHead(version));
}

const parts: Readonly<Record<string, Fault['in']>> = {
  json: 'body',
  query: 'query',
  param: 'path',
  header: 'header',
};

/** As RFC 6901 writes a place in a document. */
const pointerOf = (path: readonly PropertyKey[]): string =>
  path.map((name) => `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

function malformed(target: string, { issues }: ZodError): MalformedError {
  const [first] = issues;
  const at = [target === 'json' ? 'body' : target, ...(first?.path ?? [])].map(String).join('.');
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const faults = issues
    .slice(0, limits.apiFaults)
    .map(({ path, message }) => ({ in: parts[target] ?? 'body', pointer: pointerOf(path), detail: message }));
  return new MalformedError(`${at}: ${first?.message ?? 'wrong'}${more}`, faults, at);
}

/** Who asks an agent for what stands in rows it may not reach is told where they are, not what they are called. */
const asAsked = ({ node }: ApiContext, because: Reason): Reason =>
  because.code === 'HM-STORE-DENIED' ? (notLeading(node.cluster)?.reason ?? because) : because;

/** What hono itself refuses: a body that is not JSON. */
const ofHttp = (thrown: HTTPException) =>
  thrown.status < 500 ? reason('HM-API-REQUEST', thrown.message) : reasonOf(thrown);

function describeWebSockets(app: OpenAPIHono<Env>): void {
  const slot = { name: 'slot', in: 'path', required: true, schema: { type: 'string' } } as const;
  const responses = { 101: { description: 'the WebSocket is open' } };
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: execPath,
    operationId: 'execInContainer',
    summary: 'Run a command in a container: a WebSocket',
    description:
      'Subprotocol v1.exec.hivemind. First a text: {args, terminal, size?, environment?, user?, workingDir?}. Then binary frames, ' +
      'the first byte is the channel: 0 stdin, 1 stdout, 2 stderr, 3 status ({code} or {reason}), 4 resize ({columns, rows}), 5 stdin closed.',
    parameters: [slot],
    responses,
  });
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: forwardPath,
    operationId: 'forwardPort',
    summary: 'A connection to a port of a container: a WebSocket',
    description:
      'Subprotocol v1.port-forward.hivemind; what the port refuses is refused before the upgrade. Binary frames are bytes, ' +
      'the text `end` says that no more come from that side (half-close). Closed with 1000 when both sides have ended, else with 1011.',
    parameters: [
      slot,
      { name: 'port', in: 'query', required: true, schema: { type: 'integer', minimum: 1, maximum: 65_535 } },
    ],
    responses,
  });
}
