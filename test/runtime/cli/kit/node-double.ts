/**
 * The API's routes over a real socket, with the answers of a node that a test arranges: the CLI's edge. What
 * arrives is kept in `requests`. Real nodes meet the CLI in the end-to-end tests.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { CodedError, catalogue, coded, type Reason } from '../../../../protocols/errors.ts';

export interface Received {
  readonly method: string;
  /** With the query, decoded. */
  readonly url: string;
  readonly body: Buffer;
  readonly headers: IncomingMessage['headers'];
}

/** Answers a value (JSON), lines (NDJSON), or throws a CodedError (problem+json). */
export type Route = (request: Received, response: ServerResponse) => unknown;

export class Lines {
  readonly lines: readonly unknown[];
  /** Whether the stream stays open behind them. */
  readonly open: boolean;
  constructor(lines: readonly unknown[], open = false) {
    this.lines = lines;
    this.open = open;
  }
}

export class NodeDouble {
  /** `GET /v1/apps` → its route; the path is decoded and without the query. */
  readonly routes = new Map<string, Route>();
  readonly requests: Received[] = [];
  /** What it says the time is; nothing unless it is set. */
  date: string | undefined;
  /** Called with each exec connection and its path. */
  exec: ((socket: WebSocket, path: string) => void) | undefined;
  directory = '';
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    const upgrades = new WebSocketServer({ noServer: true });
    this.#server.on('upgrade', (request, socket, head) => {
      const { exec } = this;
      if (!exec) return void socket.end(`HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n${unknownSlot}`);
      upgrades.handleUpgrade(request, socket, head, (accepted) =>
        exec(accepted, decodeURIComponent(request.url ?? '')),
      );
    });
  }

  get socket(): string {
    return join(this.directory, 'n1.sock');
  }

  async listen(): Promise<void> {
    this.directory = await mkdtemp(join(tmpdir(), 'hivemind-cli-'));
    await new Promise<void>((resolve) => this.#server.listen(this.socket, resolve));
  }

  /** On a free port of 127.0.0.1 instead. */
  async listenTcp(): Promise<string> {
    this.directory = await mkdtemp(join(tmpdir(), 'hivemind-cli-'));
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    return typeof address === 'object' && address ? `127.0.0.1:${address.port}` : '';
  }

  on(route: string, answer: Route): this {
    this.routes.set(route, answer);
    return this;
  }

  refuse(route: string, reason: Reason): this {
    return this.on(route, () => {
      throw new CodedError(reason);
    });
  }

  /** Cut every connection, as a node that dies does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.directory, { recursive: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Its time is that of the tool under test, unless the test says another.
    response.sendDate = false;
    if (this.date !== undefined) response.setHeader('date', this.date);
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const url = decodeURIComponent(request.url ?? '');
    const received = {
      method: request.method ?? '',
      url,
      body: Buffer.concat(chunks),
      headers: request.headers,
    };
    this.requests.push(received);
    const route = this.routes.get(`${received.method} ${url.split('?')[0]}`);
    try {
      if (!route) throw coded('HM-API-ROUTE', `${received.method} ${url}`);
      const answer = await route(received, response);
      if (!(answer instanceof Lines)) return void response.end(JSON.stringify(answer ?? {}));
      for (const line of answer.lines) response.write(`${JSON.stringify(line)}\n`);
      if (!answer.open) response.end();
    } catch (thrown) {
      if (!(thrown instanceof CodedError)) throw thrown;
      problem(response, thrown.reason);
    }
  }
}

function problem(response: ServerResponse, reason: Reason): void {
  const { status } = catalogue[reason.code];
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  const { code, hint, message } = reason;
  response.end(
    JSON.stringify({
      type: 'about:blank',
      title: code,
      status,
      detail: message,
      code,
      hint,
      requestId: 'r1',
      reason,
    }),
  );
}

const unknownSlot = JSON.stringify({
  code: 'HM-TARGET-UNKNOWN',
  detail: 'No such slot',
  hint: 'hivemind ps',
});
