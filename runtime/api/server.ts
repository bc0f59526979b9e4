/**
 * The API of a running node: the routes of `app.ts` and exec's WebSocket behind two doors. The unix socket is for who
 * may open it (mode 0600); loopback TCP is for who has the token.
 */
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { getRequestListener, RequestError, type HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { reason, reasonOf } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { Collection } from '../image-collector.ts';
import type { NodeHandle } from '../node-handle.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createApp } from './app.ts';
import { createContext, type ApiContext } from './context.ts';
import { listenOnLoopback, listenOnSocket } from './doors.ts';
import { problemHeaders, problemOf, problemType } from './problem.ts';
import { letGo, pump } from './lists/pulled.ts';
import { isUpload } from './rules/bodies.ts';
import { refuseStrangers } from './rules/refused.ts';
import { openGate, type Gate } from './rules/gate.ts';
import { ensureToken, rootGate } from './token.ts';
import { serveUpgrades } from './upgrades.ts';

export interface ApiOptions {
  readonly socketPath: string;
  /** Port 0 takes a free one. */
  readonly address: { readonly host: string; readonly port: number };
  /** The bearer token; made when it is not there. */
  readonly tokenPath: string;
  /** Uploads on their way. */
  readonly importDir: string;
  /** What the collector of images goes by; absent: there is none. */
  readonly collection?: Collection;
  readonly logger: Logger;
}

export interface RunningApi {
  /** `http://127.0.0.1:4483` */
  readonly url: string;
  readonly socketPath: string;
  /** Ends streams and connections; the socket file goes. */
  close(): Promise<void>;
}

/** Rejects with HM-API-LISTEN or HM-DATA-DIR; then nothing listens. */
export async function serveApi(node: NodeHandle, options: ApiOptions): Promise<RunningApi> {
  const { socketPath, address, importDir, logger } = options;
  const { collection } = options;
  const context = createContext(node, { importDir, logger, ...(collection ? { collection } : {}) });
  const token = await ensureToken(options.tokenPath, node.random);
  // What a killed node had received so far is of no use.
  await rm(importDir, { recursive: true, force: true });
  const local = openDoor(context, 'socket', openGate);
  const loopback = openDoor(context, 'tcp', context.tokens.gate(rootGate(token)));
  await context.tokens.follow();
  try {
    await listenOnSocket(local.server, socketPath);
    const port = await listenOnLoopback(loopback.server, address);
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    return {
      url: `http://${host}:${port}`,
      socketPath,
      close: async () => {
        context.tokens.close();
        await Promise.all([local.close(), loopback.close()]);
      },
    };
  } catch (thrown) {
    context.tokens.close();
    await Promise.all([local.close(), loopback.close()]);
    throw thrown;
  }
}

function problemResponse(thrown: unknown, { requestId, logger }: ApiContext): Response {
  const isTheirs = thrown instanceof RequestError;
  if (!isTheirs) logger.error({ err: thrown }, 'a request failed');
  const because = isTheirs ? reason('HM-API-REQUEST', thrown.message) : reasonOf(thrown);
  const problem = problemOf(because, { requestId: requestId(), path: '/' });
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: problemHeaders(because),
  });
}

interface Door {
  readonly server: Server;
  close(): Promise<void>;
}

function openDoor(context: ApiContext, door: string, gate: Gate): Door {
  const app = createApp(context, { door, gate });
  const server = createServer({
    headersTimeout: limits.apiHandshakeMs,
    // Uploads are long; for all the rest there is `hurry`.
    requestTimeout: 0,
    // Without a host Node itself would refuse, and without a code.
    requireHostHeader: false,
    maxHeaderSize: limits.apiHeaderBytes,
    connectionsCheckingInterval: limits.apiHandshakeMs / 2,
  });
  server.maxConnections = limits.apiConnections;
  // It puts light stand-ins in the place of the global Request and Response; with the platform's own a small answer
  // costs half as much again.
  const told = async (asked: Request, { incoming, outgoing }: HttpBindings): Promise<Response> => {
    // A host of too many digits looks like one, and is none as soon as the body is asked for.
    if (!URL.canParse(asked.url)) return problemResponse(new RequestError('Invalid host header'), context);
    const made = await app(asked, incoming.socket.remoteAddress);
    // Who is gone or was too slow has been told so: nothing is to be written behind it.
    if (outgoing.headersSent || outgoing.closed) letGo(made);
    else if (!pump(made, outgoing)) return made;
    return RESPONSE_ALREADY_SENT;
  };
  const answer = getRequestListener((asked, bindings) => told(asked, bindings as HttpBindings), {
    // A request that has no URL: no host, or what is none.
    errorHandler: (thrown) => problemResponse(thrown, context),
  });
  refuseStrangers(server, context.requestId);
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    hurry(context.node.clock, request, response);
    void answer(request, response);
  });
  const upgrades = serveUpgrades(server, context, { door, gate });
  return {
    server,
    close: async () => {
      upgrades.close();
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A body that trickles in holds a connection and its memory: past its time it is told so and cut off. */
function hurry(clock: Clock, request: IncomingMessage, response: ServerResponse): void {
  const { headers, method } = request;
  const hasBody = Number(headers['content-length'] ?? 0) > 0 || headers['transfer-encoding'] !== undefined;
  if (!hasBody || isUpload(method, request.url)) return;
  const timer = clock.setTimer(limits.apiBodyMs, () => {
    if (request.complete) return;
    if (!response.headersSent) {
      const slow = problemOf(reason('HM-API-SLOW'), { requestId: '-', path: request.url ?? '/' });
      response.writeHead(slow.status, { 'content-type': problemType, connection: 'close' });
      response.end(JSON.stringify(slow), () => request.destroy());
    } else request.destroy();
  });
  const settle = (): void => clock.clearTimer(timer);
  request.once('end', settle);
  request.once('close', settle);
}
