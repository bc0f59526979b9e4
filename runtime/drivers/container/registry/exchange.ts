/**
 * One HTTP request to a registry: an answer with a body that is read as it comes, or `BrokenExchange`. Deadlines are on
 * silence, not on the whole. Follows no redirect, tries nothing again and knows no registry: `session.ts` does.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { createSecureContext } from 'node:tls';

/** No answer, or one that ended before its end. */
export class BrokenExchange extends Error {}

export interface Ask {
  readonly url: string;
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly insecure: boolean;
  readonly caFile?: string;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  header(name: string): string | undefined;
  /** Throws BrokenExchange when it ends early or falls silent. Leaving the loop ends the request. */
  readonly body: AsyncIterable<Buffer>;
  /** Nothing more is wanted of it. */
  drop(): void;
}

export interface Exchanger {
  ask(request: Ask): Promise<Answer>;
  /** The bodies under way go on; idle connections end. */
  close(): void;
}

export function createExchanger(silenceMs: number): Exchanger {
  const plain = new HttpAgent({ keepAlive: true, maxSockets: 16 });
  const secure = new Map<string, HttpsAgent>();
  const agentOf = ({ insecure, caFile = '' }: Ask): HttpsAgent => {
    const key = `${insecure} ${caFile}`;
    let agent = secure.get(key);
    if (!agent) {
      const ca = caFile === '' ? {} : { ca: authorityOf(caFile) };
      agent = new HttpsAgent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: !insecure, ...ca });
      secure.set(key, agent);
    }
    return agent;
  };
  return {
    ask: async (asked) => ask(asked, silenceMs, asked.url.startsWith('https:') ? agentOf(asked) : plain),
    close: () => {
      plain.destroy();
      for (const agent of secure.values()) agent.destroy();
    },
  };
}

/** Read at the first use; a file that is no certificate is said here, where it can be named. */
function authorityOf(caFile: string): Buffer {
  try {
    const ca = readFileSync(caFile);
    createSecureContext({ ca });
    return ca;
  } catch (thrown) {
    throw new BrokenExchange(`its caFile ${caFile} cannot be used: ${(thrown as Error).message}`);
  }
}

async function ask(asked: Ask, silenceMs: number, agent: HttpAgent | HttpsAgent): Promise<Answer> {
  const { url, method, headers, body, signal } = asked;
  const start = url.startsWith('https:') ? httpsRequest : httpRequest;
  const sent = start(url, { method, headers, agent, timeout: silenceMs, signal });
  sent.on('timeout', () => sent.destroy(new BrokenExchange(`no answer for ${silenceMs} ms`)));
  sent.on('error', () => {});
  sent.end(body);
  try {
    const [message] = (await once(sent, 'response', { signal })) as [IncomingMessage];
    message.on('error', () => {});
    return answerOf(message, signal);
  } catch (thrown) {
    sent.destroy();
    throw brokenBy(thrown, signal);
  }
}

function answerOf(message: IncomingMessage, signal: AbortSignal): Answer {
  async function* body(): AsyncGenerator<Buffer> {
    try {
      for await (const piece of message) yield piece as Buffer;
      if (!message.complete) throw new BrokenExchange('the answer ended early');
    } catch (thrown) {
      throw brokenBy(thrown, signal);
    } finally {
      message.destroy();
    }
  }
  return {
    status: message.statusCode ?? 0,
    header: (name) => {
      const value = message.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    body: { [Symbol.asyncIterator]: body },
    drop: () => void message.destroy(),
  };
}

function brokenBy(thrown: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (thrown instanceof BrokenExchange) return thrown;
  const { message, code } = thrown as NodeJS.ErrnoException;
  return new BrokenExchange(message === '' || message === undefined ? (code ?? 'cut off') : message);
}
