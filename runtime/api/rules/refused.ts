/** What is refused before it is a request that a route could answer: as a problem with a code, like all the rest. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { coded, reason, reasonOf } from '../../../protocols/errors.ts';
import { problemOf, problemType } from '../problem.ts';

interface Asked {
  readonly path: string;
  readonly requestId: string;
}

/** Answers on the bare connection, and ends it. */
export function refuse(stream: Duplex, thrown: unknown, asked: Asked): void {
  if (!stream.writable) return void stream.destroy();
  const problem = problemOf(reasonOf(thrown), asked);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} Refused`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${asked.requestId}`,
    'connection: close',
  ];
  stream.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => stream.destroy());
}

/** What no route can be asked: bytes that are no HTTP, tunnels, expectations. Without this Node refuses them without a word. */
export function refuseStrangers(server: Server, requestId: () => string): void {
  const answering = new WeakMap<Duplex, ServerResponse>();
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) =>
    answering.set(socket, response),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => {
    const response = answering.get(stream);
    // In the middle of an answer another one cannot be understood.
    if (error.code === 'ECONNRESET' || (response?.headersSent && !response.writableFinished))
      return void stream.destroy();
    refuse(stream, ofParser(error), { path: '/', requestId: requestId() });
  });
  server.on('connect', ({ url }: IncomingMessage, stream: Duplex) =>
    refuse(stream, coded('HM-API-ROUTE', 'There are no tunnels here'), {
      path: url ?? '/',
      requestId: requestId(),
    }),
  );
  server.on('checkExpectation', ({ url, headers }: IncomingMessage, response: ServerResponse) => {
    const wrong = reason('HM-API-REQUEST', `Nothing is known of Expect: ${headers.expect}`);
    const problem = problemOf(wrong, { path: url ?? '/', requestId: requestId() });
    response.writeHead(problem.status, { 'content-type': problemType, connection: 'close' });
    response.end(JSON.stringify(problem));
  });
}

function ofParser({ code = '', message }: NodeJS.ErrnoException): Error {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return coded('HM-API-SLOW');
  if (code === 'HPE_HEADER_OVERFLOW') return coded('HM-API-TOO-LARGE', 'The headers are too large');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return coded('HM-API-TOO-LARGE', 'A chunk says too much');
  return coded('HM-API-REQUEST', `That is no HTTP: ${message}`);
}
