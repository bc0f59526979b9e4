/** What is refused before it is a request that a route could answer: as a problem with a code, like all the rest. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { coded, reason, reasonOf } from '../../../protocols/errors.ts';
import { problemHeaders, problemOf, problemType } from '../problem.ts';

interface Asked {
  readonly path: string;
  readonly requestId: string;
}

/** Answers on the bare connection, and ends it. */
export function refuse(stream: Duplex, thrown: unknown, asked: Asked): void {
  if (!stream.writable) return void stream.destroy();
  const because = reasonOf(thrown);
  const problem = problemOf(because, asked);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} Refused`,
    ...Object.entries(problemHeaders(because)).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${asked.requestId}`,
    'connection: close',
  ];
  stream.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => stream.destroy());
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** How a connection whose bytes broke off ends. Every request has one answer, or none: a second would be read as the next one's. */
function wayOut(latest: Exchange | undefined): 'tell' | 'answer' | 'end' | 'destroy' {
  if (!latest) return 'tell';
  const { request, response } = latest;
  // In the middle of an answer, or in front of an earlier one, another cannot be understood.
  if (response.headersSent && !response.writableEnded) return 'destroy';
  if (response.socket === null && !response.writableFinished) return 'destroy';
  if (!request.complete) return response.headersSent ? 'end' : 'tell';
  return response.writableFinished ? 'tell' : 'answer';
}

/** What no route can be asked: bytes that are no HTTP, tunnels, expectations. Without this Node refuses them without a word. */
export function refuseStrangers(server: Server, requestId: () => string): void {
  const latest = new WeakMap<Duplex, Exchange>();
  const broken = new WeakSet<Duplex>();
  server.on('request', (request: IncomingMessage, response: ServerResponse) =>
    latest.set(request.socket, { request, response }),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => {
    // What follows on a broken connection is broken as well, and told once.
    if (error.code !== 'ECONNRESET' && broken.has(stream)) return;
    broken.add(stream);
    const end = (): unknown => stream.end(() => stream.destroy());
    const way = error.code === 'ECONNRESET' ? 'destroy' : wayOut(latest.get(stream));
    if (way === 'tell') refuse(stream, ofParser(error), { path: '/', requestId: requestId() });
    else if (way === 'answer') latest.get(stream)!.response.once('finish', end);
    else if (way === 'end') end();
    else stream.destroy();
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
  if (code === 'HPE_HEADER_OVERFLOW') return coded('HM-API-HEADERS');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return coded('HM-API-TOO-LARGE', 'A chunk says too much');
  return coded('HM-API-REQUEST', `That is no HTTP: ${message}`);
}
