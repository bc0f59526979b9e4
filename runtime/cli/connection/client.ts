/** The API as the CLI uses it, over a unix socket or TCP. Every refusal arrives as a `CodedError` with the API's own reason. */
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { coded, CodedError, reason, type ErrorCode, type Reason } from '../../../protocols/errors.ts';
import type { Clock } from '../../../protocols/ports.ts';
import type { ApiAddress } from './address.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** No answer within this time: the node hangs. Streams are exempt once they have begun. */
const answerMs = 60_000;
/** Clocks that differ by less are alike. */
const noticedMs = 2_000;
/** A line of a stream; a log line is at most 64 KiB of text, JSON may escape it sixfold. */
const lineBytes = 1_048_576;

/** A list whose page is not the last says where the next begins. */
interface Paged {
  nextPageToken?: string;
  [name: string]: unknown;
}

export class ApiClient {
  readonly address: ApiAddress;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #onGap: (lines: number | undefined) => void;
  readonly #clock: Pick<Clock, 'now'>;
  #skewMs = 0;

  /** `onGap` hears how many lines of a stream were left out, where that is known: we read too slowly, or they are gone. */
  constructor(address: ApiAddress, onGap: (lines: number | undefined) => void, clock: Pick<Clock, 'now'>) {
    this.address = address;
    this.#onGap = onGap;
    this.#clock = clock;
  }

  /** How far the node's clock is ahead of ours, ms, by its newest answer: 0 when it could be none. */
  get skewMs(): number {
    return this.#skewMs;
  }

  /** As messages should call it. */
  get where(): string {
    return this.address.kind === 'socket' ? this.address.path : `${this.address.host}:${this.address.port}`;
  }

  /** The whole answer: of a list all its pages. */
  async get<Answer>(path: string, query: Query = {}): Promise<Answer> {
    const first = await this.#json<Answer & Paged>(await this.#ask('GET', path, query));
    let last: Paged = first;
    while (last.nextPageToken !== undefined) {
      last = await this.#json<Paged>(
        await this.#ask('GET', path, { ...query, pageToken: last.nextPageToken }),
      );
      for (const [name, rows] of Object.entries(last))
        if (Array.isArray(rows)) (first[name] as unknown[]).push(...(rows as unknown[]));
    }
    delete first.nextPageToken;
    return first;
  }

  async send<Answer>(method: Method, path: string, body?: unknown, query: Query = {}): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return this.#json(await this.#ask(method, path, query, text));
  }

  /** Bytes as the body, without a deadline: archives are large. */
  async upload<Answer>(
    path: string,
    bytes: Readable,
    query: Query = {},
    method: 'POST' | 'PUT' = 'POST',
  ): Promise<Answer> {
    return this.#json(await this.#ask(method, path, query, bytes));
  }

  /** The bytes of the answer as they come. */
  async download(path: string, query: Query, signal: AbortSignal): Promise<Readable> {
    return this.#ask('GET', path, query, undefined, signal);
  }

  /** A value of known length as the body, byte by byte. */
  async put<Answer>(method: 'PUT' | 'POST', path: string, bytes: Uint8Array): Promise<Answer> {
    return this.#json(await this.#ask(method, path, {}, bytes));
  }

  /** Each line of an NDJSON answer (to a POST, when there is a body), until it ends or the signal fires. A lost connection is HM-API-UNREACHABLE. */
  async *lines<Line>(path: string, query: Query, signal: AbortSignal, body?: unknown): AsyncGenerator<Line> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const response = await this.#ask(text === undefined ? 'GET' : 'POST', path, query, text, signal);
    response.setEncoding('utf8');
    let rest = '';
    try {
      for await (const chunk of response as AsyncIterable<string>) {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop()!;
        if (rest.length > lineBytes) throw coded('HM-INTERNAL', 'The node sent a line without an end');
        yield* this.#parse<Line>(parts);
      }
    } catch (thrown) {
      if (signal.aborted) return;
      throw thrown instanceof CodedError ? thrown : this.#unreachable(thrown);
    } finally {
      response.destroy();
    }
    yield* this.#parse<Line>([rest]);
  }

  *#parse<Line>(texts: readonly string[]): Generator<Line> {
    for (const text of texts) {
      if (text === '') continue;
      const line = JSON.parse(text) as Line | { gap: number } | { reset: string } | { bookmark: string };
      if (typeof line !== 'object' || line === null) yield line;
      else if ('gap' in line) this.#onGap(line.gap);
      else if ('reset' in line) this.#onGap(undefined);
      else if (!('bookmark' in line)) yield line;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  get headers(): Record<string, string> {
    const token = this.address.kind === 'tcp' ? this.address.token : undefined;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** The header has whole seconds, and an answer is under way for a moment. */
  #compare(date: string | undefined): void {
    const said = date === undefined ? NaN : Date.parse(date) + 500;
    const skewMs = said - this.#clock.now();
    this.#skewMs = Math.abs(skewMs) > noticedMs ? Math.round(skewMs) : 0;
  }

  #ask(
    method: Method,
    path: string,
    query: Query,
    body?: string | Readable | Uint8Array,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      let answered = false;
      const sent = this.#open(method, `${path}${queryText(query)}`, body, signal);
      sent.on('error', (error) => reject(error instanceof CodedError ? error : this.#unreachable(error)));
      sent.on('timeout', () => {
        if (!answered) sent.destroy(this.#silent(`${this.where} does not answer`, {}));
      });
      sent.on('response', (response) => {
        answered = true;
        this.#compare(response.headers.date);
        if ((response.statusCode ?? 500) < 400) resolve(response);
        else problemOf(response).then((problem) => reject(new CodedError(problem)), reject);
      });
      if (body instanceof Readable) pipeline(body, sent).catch((error: Error) => sent.destroy(error));
      else sent.end(body);
    });
  }

  #open(method: Method, path: string, body: unknown, signal?: AbortSignal): ClientRequest {
    const { address } = this;
    const type = typeof body === 'object' ? 'application/octet-stream' : 'application/json';
    // Said outright: without it a server must look for a body.
    const content =
      body === undefined ? (method === 'GET' ? {} : { 'content-length': 0 }) : { 'content-type': type };
    const headers = { ...this.headers, ...content };
    const place =
      address.kind === 'socket' ? { socketPath: address.path } : { host: address.host, port: address.port };
    return request({
      ...place,
      method,
      path,
      headers,
      agent: this.#agent,
      ...(body instanceof Readable ? {} : { timeout: answerMs }),
      ...(signal ? { signal } : {}),
    });
  }

  async #json<Answer>(response: IncomingMessage): Promise<Answer> {
    const text = await textOf(response).catch((error: unknown) => {
      throw this.#unreachable(error);
    });
    return (text === '' ? {} : JSON.parse(text)) as Answer;
  }

  #unreachable(error: unknown): CodedError {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') {
      const hint = 'Run the command as root, or use --address 127.0.0.1:4483 with --token-file.';
      return coded('HM-API-TOKEN', `You may not use ${this.where}`, {}, hint);
    }
    const cause = code ?? message ?? 'unknown';
    return this.#silent(`No hivemind-node answers at ${this.where}`, { cause });
  }

  #silent(message: string, evidence: Reason['evidence']): CodedError {
    return coded('HM-API-UNREACHABLE', message, evidence, this.address.whenSilent);
  }
}

function queryText(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  if (pairs.length === 0) return '';
  return `?${pairs.map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`).join('&')}`;
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** The reason inside an `application/problem+json` answer, or what can be said without one. */
async function problemOf(response: IncomingMessage): Promise<Reason> {
  return parseProblem(await textOf(response), response.statusCode ?? 500);
}

export function parseProblem(text: string, status: number): Reason {
  let problem: { reason?: Reason; code?: ErrorCode; detail?: string; title?: string; hint?: string } = {};
  try {
    problem = JSON.parse(text) as typeof problem;
  } catch {
    // Not ours: a proxy, or something else listens there.
  }
  if (problem.reason?.code) return { ...problem.reason, evidence: problem.reason.evidence ?? {} };
  if (problem.code) {
    const { code, detail, title, hint } = problem;
    return { code, message: detail ?? title ?? code, hint: hint ?? '', evidence: {} };
  }
  const code =
    status === 401 || status === 403 ? 'HM-API-TOKEN' : status === 404 ? 'HM-API-ROUTE' : 'HM-INTERNAL';
  return reason(code, `The answer was HTTP ${status}`, {});
}
