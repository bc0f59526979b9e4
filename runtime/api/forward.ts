/**
 * The node's side of port-forward: a connection to a port of a container, opened before there is a WebSocket, so that
 * a refusal is an answer of HTTP like every other.
 */
import { connect, type Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { AppSpec } from '../../protocols/apps/model.ts';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import { coded } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Clock } from '../../protocols/ports.ts';
import { paths } from '../../protocols/wire/paths.ts';
import { bridge } from '../forwarding/bridge.ts';
import type { NodeHandle } from '../node-handle.ts';
import { keepAsking } from './exec.ts';

/** `port=5432` → 5432; HM-API-REQUEST. */
export function portOf(query: URLSearchParams): number {
  const text = query.get('port') ?? '';
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw coded('HM-API-REQUEST', 'port is a number from 1 to 65535', {}, 'Write it as ?port=5432');
}

/** Where a running slot listens; HM-CONTAINER-PAUSED, and HM-FORWARD-REFUSED when nothing leads to it. */
async function addressOf(node: NodeHandle, status: SlotStatus): Promise<string> {
  const { slot, app, service, address } = status;
  if (status.paused)
    throw coded('HM-CONTAINER-PAUSED', `${slot} is paused`, { slot }, `hivemind unpause ${slot}`);
  if (address !== undefined) return address;
  const { spec } = await node.ask<{ spec: AppSpec }>(paths.apps, { type: 'app.show', app });
  if (spec.services[service]?.networkMode === 'host') return '127.0.0.1';
  throw coded('HM-FORWARD-REFUSED', `${slot} is on no network`, { slot }, 'hivemind exec reaches it');
}

/** HM-FORWARD-REFUSED when nobody answers there in time. */
export async function openForward(node: NodeHandle, status: SlotStatus, port: number): Promise<Socket> {
  const host = await addressOf(node, status);
  const { slot } = status;
  return new Promise((resolve, reject) => {
    const stream = connect({ host, port, allowHalfOpen: true });
    const refuse = (why: string): void => {
      stream.destroy();
      const text = `Port ${port} of ${slot} cannot be reached: ${why}`;
      reject(coded('HM-FORWARD-REFUSED', text, { slot, address: host, port }, `hivemind logs ${slot}`));
    };
    const late = (): void => refuse(`no answer within ${limits.forwardConnectMs} ms`);
    const timer = node.clock.setTimer(limits.forwardConnectMs, late);
    const failed = (error: NodeJS.ErrnoException): void => {
      node.clock.clearTimer(timer);
      refuse(error.code ?? error.message);
    };
    stream.once('error', failed);
    stream.once('connect', () => {
      node.clock.clearTimer(timer);
      stream.off('error', failed);
      // Nobody hears it until the WebSocket is open; the bridge closes with it then.
      stream.on('error', () => undefined);
      resolve(stream);
    });
  });
}

/** To the end of the connection. */
export function serveForward(socket: WebSocket, stream: Socket, clock: Clock): Promise<void> {
  keepAsking(socket, clock);
  return bridge(socket, stream);
}
