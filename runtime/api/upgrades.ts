/**
 * The WebSocket door. What is wrong with a request is said as HTTP, before the connection is upgraded; only then is
 * there a WebSocket. A browser says where its page is from: pages of other sites are refused.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { parseSlotName } from '../../protocols/apps/model.ts';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import { coded, reasonOf } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { execProtocol, serveExec } from './exec.ts';
import { problemOf, problemType } from './problem.ts';
import type { ApiContext } from './context.ts';
import { observedSlots, unknownSlot } from './routes/containers.ts';
import { assertScope, type Gate } from './rules/gate.ts';

export interface UpgradeDoor {
  /** Ends every open WebSocket. */
  close(): void;
}

interface UpgradeOptions {
  readonly door: string;
  readonly gate: Gate;
}

/** Options as in `createApp`. */
export function serveUpgrades(server: Server, context: ApiContext, options: UpgradeOptions): UpgradeDoor {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.apiBodyBytes,
    handleProtocols: (offered) => (offered.has(execProtocol) ? execProtocol : false),
  });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy());
    admit(context, request, options).then(
      ({ status, closed }) => {
        if (stream.destroyed) return closed();
        // Also when the upgrade itself fails there is nothing left to count.
        stream.on('close', closed);
        sockets.handleUpgrade(request, stream, head, (socket) => {
          serveExec(context.node, socket, status).catch((thrown: unknown) => {
            context.logger.error({ err: thrown }, 'an exec failed');
            socket.terminate();
          });
        });
      },
      (thrown: unknown) => refuse(stream, thrown, request.url ?? '/', context.node.random.hex(8)),
    );
  });
  return {
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    },
  };
}

interface Admitted {
  readonly status: SlotStatus;
  readonly closed: () => void;
}

async function admit(
  context: ApiContext,
  request: IncomingMessage,
  { door, gate }: UpgradeOptions,
): Promise<Admitted> {
  context.rates.take(`${door} ${request.socket.remoteAddress ?? ''}`, true);
  // Who runs commands in containers changes them.
  assertScope(gate.admit(request.headers.authorization), 'write');
  const { origin, host } = request.headers;
  if (origin !== undefined && !isOwn(origin, host))
    throw coded('HM-API-ORIGIN', `${origin} is another site`, { origin });
  const path = (request.url ?? '').split('?')[0]!;
  const encoded = /^\/v1\/containers\/([^/]+)\/exec$/.exec(path)?.[1];
  if (encoded === undefined) throw coded('HM-API-ROUTE', `There is no WebSocket at ${path}`);
  if (!request.headers['sec-websocket-protocol']?.includes(execProtocol))
    throw coded('HM-API-REQUEST', `The subprotocol is ${execProtocol}`);
  const slot = decode(encoded);
  const status = (await observedSlots(context.node)).find((one) => one.slot === slot);
  if (!status) throw unknownSlot(slot);
  if (status.phase !== 'running' || status.containerId === undefined)
    throw coded(
      'HM-CONTAINER-STOPPED',
      `${slot} is ${status.phase}`,
      { slot, phase: status.phase },
      `hivemind why ${slot}`,
    );
  return { status, closed: context.streams.open() };
}

function decode(segment: string): string {
  try {
    const slot = decodeURIComponent(segment);
    if (parseSlotName(slot)) return slot;
  } catch {
    // Not well formed: as below.
  }
  throw coded('HM-API-REQUEST', `${segment} is not a slot`, {}, 'Write it as shop%2Fweb.2');
}

function isOwn(origin: string, host: string | undefined): boolean {
  return origin === `http://${host}` && /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(host ?? '');
}

function refuse(stream: Duplex, thrown: unknown, path: string, requestId: string): void {
  const problem = problemOf(reasonOf(thrown), { requestId, path });
  const body = JSON.stringify(problem);
  stream.end(
    [
      `HTTP/1.1 ${problem.status} Refused`,
      `content-type: ${problemType}`,
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}
