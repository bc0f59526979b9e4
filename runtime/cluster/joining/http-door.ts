/** The door over HTTP: what comes in at the cluster port without a certificate is read, handed to it, and answered. */
import type { IncomingMessage } from 'node:http';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock } from '../../../protocols/ports.ts';
import type { RequestHandler } from '../../../transport/websocket/port.ts';
import type { JoinDoor } from './join-door.ts';

export function overHttp(door: JoinDoor, clock: Clock): RequestHandler {
  return (request, response) => {
    const timer = clock.setTimer(limits.joinMs, () => request.destroy());
    const { method = '' } = request;
    const client = request.socket.remoteAddress ?? '';
    void door({ method, client, body: () => bodyOf(request) }).then(({ status, body }) => {
      clock.clearTimer(timer);
      if (response.destroyed) return;
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(body));
    });
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Uint8Array).length;
    if (bytes > limits.joinBytes)
      throw coded('HM-API-TOO-LARGE', `a request to join has at most ${limits.joinBytes} bytes`);
    parts.push(part as Uint8Array);
  }
  return Buffer.concat(parts).toString('utf8');
}
