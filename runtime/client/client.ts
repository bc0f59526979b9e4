/**
 * The typed client that the package exports: requests by method and path, as the API's document names them. What may be
 * asked and what is answered is in `client.d.ts`, which is written from that document. Node's own HTTP and nothing else.
 */
import { Agent, request, type IncomingMessage } from 'node:http';
import type { Problem } from '../api/problem.ts';

export interface ConnectOptions {
  /** `/run/hivemind/n1.sock` or `http://127.0.0.1:4483`. */
  readonly address: string;
  /** Over TCP. */
  readonly token?: string;
}

export interface Ask {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Text and bytes go as they are, all else as JSON. */
  readonly body?: unknown;
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  /** With it a POST is done once, however often it is sent. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

export interface Answered {
  readonly status: number;
  readonly etag?: string;
  /** Absent from a 304. */
  readonly value?: unknown;
}

/** What the node refuses: its problem, with code and hint. */
export class HivemindError extends Error {
  override readonly name = 'HivemindError';
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(`${problem.detail} (${problem.code}). ${problem.hint}`);
    this.problem = problem;
  }
}

export interface Client {
  /** Rejects with a `HivemindError` when the node refuses, with Node's own error when it cannot be reached. */
  request(operation: string, ask?: Ask): Promise<Answered>;
  /** The lines of an answer that comes in lines, as they come; leaving the loop ends it. */
  lines(operation: string, ask?: Ask): AsyncGenerator<unknown>;
  /** Idle connections go. */
  close(): void;
}

export function connect(options: ConnectOptions): Client {
  const agent = new Agent({ keepAlive: true });
  return {
    request: async (operation, ask = {}) => {
      const response = await send(options, agent, operation, ask, 'application/json');
      const text = await textOf(response);
      const { etag, 'content-type': type = '' } = response.headers;
      return {
        status: response.statusCode!,
        ...(etag === undefined ? {} : { etag }),
        ...(text === '' ? {} : { value: type.includes('json') ? (JSON.parse(text) as unknown) : text }),
      };
    },
    lines: async function* (operation, ask = {}) {
      const response = await send(options, agent, operation, ask, 'application/x-ndjson');
      let rest = '';
      for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        for (const line of lines) yield JSON.parse(line);
      }
    },
    close: () => agent.destroy(),
  };
}

async function send(
  { address, token }: ConnectOptions,
  agent: Agent,
  operation: string,
  ask: Ask,
  accept: string,
): Promise<IncomingMessage> {
  const [method = '', template = ''] = operation.split(' ');
  const { body } = ask;
  const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  const headers = {
    accept,
    authorization: token === undefined ? undefined : `Bearer ${token}`,
    'content-type': isRaw ? undefined : 'application/json',
    'if-match': ask.ifMatch,
    'if-none-match': ask.ifNoneMatch,
    'idempotency-key': ask.idempotencyKey,
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(
      {
        ...placeOf(address),
        agent,
        method,
        path: pathOf(template, ask),
        headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)),
        ...(ask.signal ? { signal: ask.signal } : {}),
      },
      resolve,
    );
    sent.on('error', reject);
    sent.end(isRaw ? body : JSON.stringify(body));
  });
  if (response.statusCode! < 400 || response.headers['content-type'] !== 'application/problem+json')
    return response;
  throw new HivemindError(JSON.parse(await textOf(response)) as Problem);
}

function placeOf(address: string): { socketPath: string } | { host: string; port: number } {
  if (address.startsWith('/')) return { socketPath: address };
  const { hostname, port } = new URL(address);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 4_483) };
}

function pathOf(template: string, { params = {}, query = {} }: Ask): string {
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined) throw new TypeError(`${template} needs params.${name}`);
    return encodeURIComponent(value);
  });
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? path : `${path}?${search.toString()}`;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  return text;
}
