/**
 * The WebSocket door. What is wrong with a request is said as HTTP, before the connection is upgraded; only then is
 * there a WebSocket. A browser says where its page is from: pages of other sites are refused.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import { WebSocket, WebSocketServer } from 'ws';
import { parseSlotName } from '../../protocols/apps/model.ts';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import { coded, reasonOf } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { forwardProtocol } from '../forwarding/bridge.ts';
import { execProtocol, serveExec } from './exec.ts';
import { openForward, portOf, serveForward } from './forward.ts';
import { logsProtocol, serveLogs } from './log-socket.ts';
import type { NodeHandle } from '../node-handle.ts';
import type { ApiContext } from './context.ts';
import { logQuery, logSource, observedSlots, absentSlot } from './routes/containers.ts';
import { refuse } from './rules/refused.ts';
import { admitted, assertScope, type Gate } from './rules/gate.ts';

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
    maxPayload: limits.apiFrameBytes,
    WebSocket: CodedSocket,
    handleProtocols: (offered) => Object.values(protocols).find((one) => offered.has(one)) ?? false,
  });
  sockets.on('wsClientError', ({ message }, stream, { url }) => {
    const wrong = coded('HM-API-REQUEST', message);
    refuse(stream, wrong, { path: url ?? '/', requestId: context.requestId() });
  });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy());
    admit(context, request, options).then(
      ({ serve, closed }) => {
        if (stream.destroyed) return closed();
        // Also when the upgrade itself fails there is nothing left to count.
        stream.on('close', closed);
        sockets.handleUpgrade(request, stream, head, (socket) => {
          serve(socket).catch((thrown: unknown) => {
            context.logger.error({ err: thrown }, 'a WebSocket failed');
            socket.terminate();
          });
        });
      },
      (thrown: unknown) =>
        refuse(stream, thrown, { path: request.url ?? '/', requestId: context.requestId() }),
    );
  });
  return {
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    },
  };
}

/** Closed by ws itself, for a frame that is too large, it says so under our code too. */
class CodedSocket extends WebSocket {
  override close(code?: number, why?: string | Buffer): void {
    super.close(code, why ?? (code === tooBig ? 'HM-API-TOO-LARGE' : undefined));
  }
}
const tooBig = 1009;

const protocols = { exec: execProtocol, 'port-forward': forwardProtocol, logs: logsProtocol } as const;

interface Admitted {
  readonly serve: (socket: WebSocket) => Promise<void>;
  /** To be called once, when the connection is over or never came to be. */
  readonly closed: () => void;
}

async function admit(
  context: ApiContext,
  request: IncomingMessage,
  { door, gate }: UpgradeOptions,
): Promise<Admitted> {
  const client = request.socket.remoteAddress ?? '';
  const { authorization } = request.headers;
  const identity = admitted(gate, context.rates, { door, client, authorization, isChange: true });
  const { origin, host } = request.headers;
  if (origin !== undefined && !isOwn(origin, host))
    throw coded('HM-API-ORIGIN', `${origin} is another site`, { origin });
  const [path = '', query] = (request.url ?? '').split('?');
  const [, encoded, kind] = /^\/v1\/containers\/([^/]+)\/(exec|port-forward|logs)$/.exec(path) ?? [];
  if (encoded === undefined) throw coded('HM-API-ROUTE', `There is no WebSocket at ${path}`);
  try {
    // Who runs commands in containers, or talks to what listens in them, changes them.
    assertScope(identity, kind === 'logs' ? 'read' : 'write');
  } catch (thrown) {
    const route = `/v1/containers/{slot}/${kind}`;
    context.audit.refused(identity, { method: 'GET', path, route }, reasonOf(thrown));
    throw thrown;
  }
  const protocol = protocols[kind as keyof typeof protocols];
  if (!request.headers['sec-websocket-protocol']?.includes(protocol))
    throw coded('HM-API-REQUEST', `The subprotocol is ${protocol}`);
  const slot = decode(encoded);
  const { node, streams } = context;
  if (kind === 'exec') {
    const status = await runningSlot(node, slot);
    return { serve: (socket) => serveExec(node, socket, status), closed: streams.open() };
  }
  if (kind === 'logs') {
    const source = await logSource(node, slot, logWish(new URLSearchParams(query)));
    return { serve: (socket) => serveLogs(socket, source, node.clock), closed: streams.open() };
  }
  const port = portOf(new URLSearchParams(query));
  return forward(context, await runningSlot(node, slot), port);
}

/** The same query as over plain HTTP; HM-API-REQUEST. */
function logWish(query: URLSearchParams): z.infer<typeof logQuery> {
  const parsed = logQuery.safeParse(Object.fromEntries(query));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw coded('HM-API-REQUEST', `${issue?.path.join('.')}: ${issue?.message}`);
}

/** Counted before it is opened: what waits for an answer counts too. */
async function forward({ node, streams }: ApiContext, status: SlotStatus, port: number): Promise<Admitted> {
  const counted = streams.open();
  try {
    const stream = await openForward(node, status, port);
    let served = false;
    const serve = (socket: WebSocket): Promise<void> => {
      served = true;
      return serveForward(socket, stream, node.clock);
    };
    const closed = (): void => {
      counted();
      if (!served) stream.destroy();
    };
    return { serve, closed };
  } catch (thrown) {
    counted();
    throw thrown;
  }
}

/** HM-TARGET-UNKNOWN, HM-SLOT-ELSEWHERE, HM-CONTAINER-STOPPED. */
async function runningSlot(node: NodeHandle, slot: string): Promise<SlotStatus> {
  const status = (await observedSlots(node)).find((one) => one.slot === slot);
  if (!status) throw await absentSlot(node, slot);
  if (status.phase !== 'running' || status.containerId === undefined)
    throw coded(
      'HM-CONTAINER-STOPPED',
      `${slot} is ${status.phase}`,
      { slot, phase: status.phase },
      `hivemind why ${slot}`,
    );
  return status;
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
