/**
 * The API's two doors: a unix socket whose mode (0600) is its lock, and a loopback address with a bearer token. Here
 * are sockets and WebSocket upgrades; what is answered stands in `app.ts` and `exec.ts`.
 */
import { getRequestListener } from '@hono/node-server';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import { coded, reason, reasonOf, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { paths } from '../../protocols/wire/paths.ts';
import type { NodeHandle } from '../node-handle.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createApp } from './app.ts';
import { execProtocol, serveExec } from './exec.ts';
import { problemResponse } from './problem.ts';
import type { ApiContext } from './route.ts';
import { ensureToken, mayPass } from './token.ts';

export interface ApiOptions {
  readonly socketPath: string;
  readonly address: { readonly host: string; readonly port: number };
  readonly tokenPath: string;
  readonly importDir: string;
  readonly logger: Logger;
}

export interface Api {
  readonly url: string;
  readonly socketPath: string;
  close(): Promise<void>;
}

/** Rejects with HM-API-LISTEN when a door is taken, HM-DATA-DIR when the token cannot be kept. */
export async function serveApi(node: NodeHandle, options: ApiOptions): Promise<Api> {
  const token = await ensureToken(options.tokenPath, node.random);
  await rm(options.importDir, { recursive: true, force: true });
  await mkdir(options.importDir, { recursive: true, mode: 0o700 });
  const context: ApiContext = { node, importDir: options.importDir, logger: options.logger, streams: streamCount() };
  const local = door(context, undefined);
  const tcp = door(context, token);
  try {
    await listenOnSocket(local, options.socketPath);
    await listening(tcp, { host: options.address.host, port: options.address.port }, `${options.address.host}:${options.address.port}`);
  } catch (thrown) {
    await Promise.all([ended(local), ended(tcp)]);
    throw thrown;
  }
  const bound = tcp.address();
  const port = typeof bound === 'object' && bound ? bound.port : options.address.port;
  return {
    url: `http://${options.address.host}:${port}`,
    socketPath: options.socketPath,
    close: async () => {
      await Promise.all([ended(local), ended(tcp)]);
      await rm(options.socketPath, { force: true });
    },
  };
}

function streamCount(): ApiContext['streams'] {
  let open = 0;
  return {
    open: () => {
      if (open >= limits.apiStreams) throw coded('HM-API-BUSY', undefined, { limit: limits.apiStreams });
      open += 1;
      let over = false;
      return () => {
        if (!over) open -= 1;
        over = true;
      };
    },
  };
}

/** One HTTP server; `token` undefined where the door itself is the lock. */
function door(context: ApiContext, token: string | undefined): Server {
  const answer = createApp(context, token === undefined ? {} : { token });
  const server = createServer({ requestTimeout: 0 }, getRequestListener(answer));
  const sockets = new WebSocketServer({ noServer: true, maxPayload: limits.apiBodyBytes, perMessageDeflate: false, handleProtocols: () => execProtocol });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    void admit(context, request, token).then(
      ({ status, release }) =>
        sockets.handleUpgrade(request, socket, head, (client) => {
          void serveExec(context.node, client, status).finally(release);
        }),
      (thrown: unknown) => refuse(socket, reasonOf(thrown), context.node.random.hex(8)),
    );
  });
  return server;
}

/** May this upgrade pass, and to which running container? Throws the reason why not. */
async function admit(context: ApiContext, request: IncomingMessage, token: string | undefined): Promise<{ status: SlotStatus; release: () => void }> {
  if (token !== undefined && !mayPass(request.headers.authorization, token)) throw coded('HM-API-TOKEN');
  // A browser always says where a page is from; our clients never do.
  if (request.headers.origin !== undefined) throw coded('HM-API-ORIGIN', undefined, { origin: request.headers.origin });
  const path = new URL(request.url ?? '/', 'http://node').pathname;
  const slot = /^\/v1\/containers\/([^/]+)\/exec$/.exec(path)?.[1];
  if (slot === undefined) throw coded('HM-API-ROUTE', `There is no WebSocket at ${path}`);
  const name = decodeURIComponent(slot);
  const { slots } = await context.node.ask<{ slots: readonly SlotStatus[] }>(paths.manager, { type: 'observed.report' });
  const status = slots.find((one) => one.slot === name);
  if (!status) throw coded('HM-TARGET-UNKNOWN', `There is no slot ${name}`, { slot: name });
  if (status.phase !== 'running' || status.containerId === undefined) throw coded('HM-CONTAINER-STOPPED', `${name} is not running`, { slot: name });
  return { status, release: context.streams.open() };
}

function refuse(socket: Duplex, because: Reason, requestId: string): void {
  const response = problemResponse(because, requestId);
  void response.text().then((body) => {
    const head = `HTTP/1.1 ${response.status} Refused\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
    socket.end(head + body);
  });
}

/** A socket file that nobody answers on was left by a crash and is replaced; a living one is refused. */
async function listenOnSocket(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  if (await answers(path)) throw coded('HM-API-LISTEN', `another node answers at ${path}`, { path });
  await rm(path, { force: true });
  // Nobody may connect between the file's making and its mode.
  const before = process.umask(0o177);
  try {
    await listening(server, { path }, path);
  } finally {
    process.umask(before);
  }
  await chmod(path, 0o600);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

function listening(server: Server, where: { host: string; port: number } | { path: string }, named: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (thrown) => reject(coded('HM-API-LISTEN', reason('HM-API-LISTEN').message.replace(/\.$/, `: ${named}: ${thrown.message}`), { address: named })));
    server.listen(where, () => resolve());
  });
}

function ended(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
