/**
 * The API of a running node: the routes of `app.ts` and exec's WebSocket behind two doors. The unix socket is for who
 * may open it (mode 0600); loopback TCP is for who has the token.
 */
import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { limits } from '../../protocols/limits.ts';
import type { NodeHandle } from '../node-handle.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createApp } from './app.ts';
import { listenOnLoopback, listenOnSocket } from './doors.ts';
import { createStreamCount, type ApiContext } from './route.ts';
import { ensureToken } from './token.ts';
import { serveUpgrades } from './upgrades.ts';

export interface ApiOptions {
  readonly socketPath: string;
  /** Port 0 takes a free one. */
  readonly address: { readonly host: string; readonly port: number };
  /** The bearer token; made when it is not there. */
  readonly tokenPath: string;
  /** Uploads on their way. */
  readonly importDir: string;
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
  const context: ApiContext = { node, importDir, logger, streams: createStreamCount() };
  const token = await ensureToken(options.tokenPath, node.random);
  // What a killed node had received so far is of no use.
  await rm(importDir, { recursive: true, force: true });
  const local = openDoor(context);
  const loopback = openDoor(context, token);
  try {
    await listenOnSocket(local.server, socketPath);
    const port = await listenOnLoopback(loopback.server, address);
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    return {
      url: `http://${host}:${port}`,
      socketPath,
      close: async () => void (await Promise.all([local.close(), loopback.close()])),
    };
  } catch (thrown) {
    await Promise.all([local.close(), loopback.close()]);
    throw thrown;
  }
}

interface Door {
  readonly server: Server;
  close(): Promise<void>;
}

function openDoor(context: ApiContext, token?: string): Door {
  const app = createApp(context, token === undefined ? {} : { token });
  const answer = getRequestListener(app, { overrideGlobalObjects: false });
  const server = createServer(
    { headersTimeout: limits.apiHandshakeMs, requestTimeout: 0, maxHeaderSize: 32_768 },
    (request, response) => void answer(request, response),
  );
  const upgrades = serveUpgrades(server, context, token);
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
