/** A WebSocket of the node's API. */
import { WebSocket } from 'ws';
import { coded, CodedError } from '../../../protocols/errors.ts';
import { parseProblem, type ApiClient } from './client.ts';

/** Open, and held back until it is resumed: nothing comes before somebody listens. Rejects with what the API refuses, or HM-API-UNREACHABLE. */
export function connect(client: ApiClient, path: string, protocol: string): Promise<WebSocket> {
  const { address } = client;
  const url =
    address.kind === 'socket'
      ? `ws+unix:${address.path}:${path}`
      : `ws://${address.host}:${address.port}${path}`;
  const socket = new WebSocket(url, protocol, { headers: client.headers, perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.pause();
      resolve(socket);
    });
    socket.once('error', (error) => reject(coded('HM-API-UNREACHABLE', `${client.where}: ${error.message}`)));
    socket.once('unexpected-response', (_request, response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => reject(new CodedError(parseProblem(text, response.statusCode ?? 500))));
    });
  });
}
