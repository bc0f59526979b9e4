/**
 * Requests to one registry (a mirror counts as one) about one repository: logs in, follows redirects, tries again. The
 * decisions are in `protocols/containers/registry/`; here they are carried out, on the clock and with chance that are given.
 */
import { redirectOf, verdictOf, type Outcome } from '../../../../protocols/containers/registry/attempts.ts';
import {
  authenticate,
  parseChallenges,
  readToken,
  type TokenRequest,
} from '../../../../protocols/containers/registry/challenge.ts';
import type { Endpoint } from '../../../../protocols/containers/registry/endpoints.ts';
import { coded, type ErrorCode } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Clock, Random } from '../../../../protocols/ports.ts';
import type { Credentials } from './credentials.ts';
import { BrokenExchange, type Answer, type Exchanger } from './exchange.ts';

export interface SessionTools {
  readonly clock: Pick<Clock, 'now' | 'setTimer' | 'clearTimer'>;
  readonly random: Pick<Random, 'next'>;
  readonly exchanger: Exchanger;
  readonly credentials: Credentials;
}

export interface Wish {
  readonly method: 'GET' | 'HEAD';
  /** Below `/v2/REPOSITORY/`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export class Session {
  readonly #tools: SessionTools;
  readonly #endpoint: Endpoint;
  readonly #repository: string;
  #authorization: { readonly header: string } | undefined;
  #login: Promise<void> | undefined;

  constructor(tools: SessionTools, endpoint: Endpoint, repository: string) {
    this.#tools = tools;
    this.#endpoint = endpoint;
    this.#repository = repository;
  }

  get registry(): string {
    return this.#endpoint.registry;
  }

  /** An answer of 2xx. Broken bodies are the reader's business: `pause` tells it whether to ask again. */
  async ask(wish: Wish): Promise<Answer> {
    let logins = 0;
    for (let attempt = 1; ; attempt++) {
      const used = this.#authorization?.header;
      const { answer, outcome, detail } = await this.#try(wish);
      const verdict = verdictOf(outcome, this.#at(attempt));
      if (verdict.do === 'take') return answer!;
      const challenge = answer?.header('www-authenticate') ?? '';
      answer?.drop();
      if (verdict.do === 'refuse') throw this.refused(verdict.code, detail);
      if (verdict.do === 'retry') await this.#wait(verdict.afterMs, wish.signal);
      else {
        // A token may have run out, or another layer fetched one meanwhile; a login that does not help is no login.
        if (++logins > 2) throw this.refused('HM-REGISTRY-AUTH', 'it does not accept the login');
        if (used === this.#authorization?.header) await this.#logIn(challenge, wish.signal);
        attempt--;
      }
    }
  }

  /** After a body that broke off: waits, or refuses when that was one too many. */
  async pause(attempt: number, because: string, signal: AbortSignal): Promise<void> {
    const verdict = verdictOf({ kind: 'broken' }, this.#at(attempt));
    if (verdict.do !== 'retry') throw this.refused('HM-REGISTRY-UNREACHABLE', because);
    await this.#wait(verdict.afterMs, signal);
  }

  refused(code: ErrorCode, what: string): Error {
    const registry = this.#endpoint.registry;
    const message = `The registry ${registry} cannot give ${this.#repository}: ${what}.`;
    const hint =
      code === 'HM-REGISTRY-AUTH'
        ? `docker login ${registry} on the node, or keep user:password in the secret registry.${registry}`
        : undefined;
    return coded(code, message, { registry, repository: this.#repository }, hint);
  }

  #at(attempt: number) {
    return { attempt, nowMs: this.#tools.clock.now(), chance: this.#tools.random.next() };
  }

  async #try(wish: Wish): Promise<{ answer?: Answer; outcome: Outcome; detail: string }> {
    const url = `${this.#endpoint.base.replace(/^(https?:\/\/[^/]+)/, '$1/v2')}/${this.#repository}/${wish.path}`;
    try {
      const answer = await this.#follow(url, wish);
      const retryAfter = answer.header('retry-after');
      const outcome = {
        kind: 'status',
        status: answer.status,
        ...(retryAfter === undefined ? {} : { retryAfter }),
      };
      return { answer, outcome: outcome as Outcome, detail: `it answers ${answer.status}` };
    } catch (thrown) {
      if (!(thrown instanceof BrokenExchange)) throw thrown;
      return { outcome: { kind: 'broken' }, detail: thrown.message };
    }
  }

  async #follow(first: string, { method, headers, signal }: Wish): Promise<Answer> {
    const { insecure, caFile, plainHttp } = this.#endpoint;
    const own = this.#authorization?.header;
    let [url, authorized] = [first, own !== undefined];
    for (let hops = 0; ; hops++) {
      const answer = await this.#tools.exchanger.ask({
        url,
        method,
        headers: { ...headers, 'user-agent': 'hivemind', ...(authorized ? { authorization: own! } : {}) },
        // A setting holds for the registry it names, not for where that sends us.
        insecure: insecure && new URL(url).origin === new URL(first).origin,
        ...(caFile === undefined ? {} : { caFile }),
        signal,
      });
      if (![301, 302, 303, 307, 308].includes(answer.status)) return answer;
      answer.drop();
      const next = redirectOf(url, answer.header('location'), hops, plainHttp);
      if ('refused' in next) throw this.refused('HM-REGISTRY-ANSWER', next.refused);
      url = next.to;
      authorized &&= next.sameOrigin;
    }
  }

  /** Layers come side by side: they log in once. */
  async #logIn(challenge: string, signal: AbortSignal): Promise<void> {
    this.#login ??= this.#authenticate(challenge, signal).finally(() => (this.#login = undefined));
    await this.#login;
  }

  async #authenticate(challenge: string, signal: AbortSignal): Promise<void> {
    const { registry, plainHttp } = this.#endpoint;
    const credential = await this.#tools.credentials(registry, signal);
    const way = authenticate(parseChallenges(challenge), this.#repository, credential, plainHttp);
    if (way.by === 'nothing') throw this.refused('HM-REGISTRY-AUTH', way.because);
    if (way.by === 'basic') this.#authorization = { header: way.authorization };
    else this.#authorization = await this.#askToken(way.request, signal);
  }

  async #askToken(request: TokenRequest, signal: AbortSignal) {
    const { exchanger } = this.#tools;
    const { insecure, caFile } = this.#endpoint;
    const trust = { insecure, ...(caFile === undefined ? {} : { caFile }) };
    for (let attempt = 1; ; attempt++) {
      let [outcome, what, retryAfter]: [Outcome, string, string | undefined] = [
        { kind: 'broken' },
        '',
        undefined,
      ];
      try {
        const answer = await exchanger.ask({ ...request, ...trust, signal });
        retryAfter = answer.header('retry-after');
        outcome = {
          kind: 'status',
          status: answer.status,
          ...(retryAfter === undefined ? {} : { retryAfter }),
        };
        what = `answers ${answer.status}`;
        const bytes = await readBounded(answer, limits.registryTokenBytes);
        if (answer.status === 200) {
          const token = bytes && readToken(parsed(bytes));
          if (!token) throw this.refused('HM-REGISTRY-ANSWER', 'its token server gives no token');
          return { header: `Bearer ${token}` };
        }
      } catch (thrown) {
        if (!(thrown instanceof BrokenExchange)) throw thrown;
        what = `does not answer: ${thrown.message}`;
        outcome = { kind: 'broken' };
      }
      const verdict = verdictOf(outcome, this.#at(attempt));
      if (verdict.do === 'retry') await this.#wait(verdict.afterMs, signal);
      else {
        const denied = verdict.do !== 'refuse' || verdict.code === 'HM-IMAGE-MISSING';
        throw this.refused(denied ? 'HM-REGISTRY-AUTH' : verdict.code, `its token server ${what}`);
      }
    }
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#tools;
    return new Promise((resolve, reject) => {
      const abandoned = () => {
        clock.clearTimer(timer);
        reject(signal.reason as Error);
      };
      const timer = clock.setTimer(ms, () => {
        signal.removeEventListener('abort', abandoned);
        resolve();
      });
      if (signal.aborted) abandoned();
      else signal.addEventListener('abort', abandoned, { once: true });
    });
  }
}

/** The whole body, or `undefined` when it is larger. */
export async function readBounded(answer: Answer, maxBytes: number): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of answer.body) {
    bytes += piece.length;
    if (bytes > maxBytes) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
