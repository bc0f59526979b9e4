/**
 * An OCI registry as a pull needs it: manifests whole and checked, blobs as streams that go on where they broke off.
 * Mirrors are asked first; what a mirror does not have or give, the registry itself is asked for.
 */
import { createHash } from 'node:crypto';
import { rangeStart } from '../../../../protocols/containers/registry/attempts.ts';
import { manifestTypes, mediaTypeOf } from '../../../../protocols/containers/registry/documents.ts';
import { endpointsOf, type Registries } from '../../../../protocols/containers/registry/endpoints.ts';
import type { RegistryReference } from '../../../../protocols/containers/registry/reference.ts';
import { coded, CodedError, type ErrorCode } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Clock, Random } from '../../../../protocols/ports.ts';
import type { Credentials } from './credentials.ts';
import { BrokenExchange, createExchanger } from './exchange.ts';
import { readBounded, Session, type SessionTools } from './session.ts';

export interface RegistryOptions {
  readonly clock: Pick<Clock, 'now' | 'setTimer' | 'clearTimer'>;
  readonly random: Pick<Random, 'next'>;
  readonly registries: Registries;
  readonly credentials: Credentials;
  /** Default in `protocols/limits.ts`. */
  readonly silenceMs?: number;
}

export interface FoundManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** One repository, for the time of one pull. */
export interface Repository {
  /** By tag or digest. HM-IMAGE-MISSING, HM-IMAGE-DIGEST, HM-REGISTRY-… */
  manifest(wanted: string, signal: AbortSignal): Promise<FoundManifest>;
  /** The digest that a tag has now, by as little as possible. */
  digestOf(tag: string, signal: AbortSignal): Promise<string>;
  /** From `offset` to the end; never more than `size` bytes. Goes on by itself where a connection broke. */
  blob(
    part: { readonly digest: string; readonly size: number },
    offset: number,
    signal: AbortSignal,
  ): AsyncIterable<Buffer>;
}

export interface RegistryClient {
  repository(reference: RegistryReference): Repository;
  close(): void;
}

const accept = manifestTypes.join(', ');

export function createRegistryClient(options: RegistryOptions): RegistryClient {
  const exchanger = createExchanger(options.silenceMs ?? limits.registrySilenceMs);
  const tools: SessionTools = { ...options, exchanger };
  return {
    repository: ({ registry, repository }) => {
      const sessions = endpointsOf(registry, options.registries).map(
        (endpoint) => new Session(tools, endpoint, repository),
      );
      return {
        manifest: (wanted, signal) => first(sessions, (session) => manifest(session, wanted, signal)),
        digestOf: (tag, signal) => first(sessions, (session) => digestOf(session, tag, signal)),
        blob: (part, offset, signal) => blob(sessions, part, offset, signal),
      };
    },
    close: () => exchanger.close(),
  };
}

/** What another place may still have. */
const elsewhere: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'HM-IMAGE-MISSING',
  'HM-IMAGE-DIGEST',
  'HM-REGISTRY-UNREACHABLE',
  'HM-REGISTRY-AUTH',
  'HM-REGISTRY-BUSY',
  'HM-REGISTRY-ANSWER',
]);

async function first<Result>(
  sessions: readonly Session[],
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const last = sessions.at(-1);
  if (!last) throw coded('HM-IMAGE-MISSING', 'The settings of the node forbid to ask that registry.');
  for (const session of sessions.slice(0, -1)) {
    try {
      return await work(session);
    } catch (thrown) {
      if (!(thrown instanceof CodedError && elsewhere.has(thrown.reason.code))) throw thrown;
    }
  }
  return work(last);
}

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function manifest(session: Session, wanted: string, signal: AbortSignal): Promise<FoundManifest> {
  for (let attempt = 1; ; attempt++) {
    const answer = await session.ask({
      method: 'GET',
      path: `manifests/${wanted}`,
      headers: { accept },
      signal,
    });
    try {
      const bytes = await readBounded(answer, limits.imageDocumentBytes);
      if (!bytes)
        throw session.refused(
          'HM-REGISTRY-ANSWER',
          `its manifest is larger than ${limits.imageDocumentBytes} bytes`,
        );
      const digest = sha256(bytes);
      const expected = wanted.includes(':') ? wanted : answer.header('docker-content-digest');
      if (expected?.startsWith('sha256:') && expected !== digest)
        throw session.refused('HM-IMAGE-DIGEST', `the manifest ${expected} has the digest ${digest}`);
      return { digest, mediaType: mediaTypeOf(bytes, answer.header('content-type')), bytes };
    } catch (thrown) {
      if (!(thrown instanceof BrokenExchange)) throw thrown;
      await session.pause(attempt, thrown.message, signal);
    }
  }
}

async function digestOf(session: Session, tag: string, signal: AbortSignal): Promise<string> {
  const answer = await session.ask({ method: 'HEAD', path: `manifests/${tag}`, headers: { accept }, signal });
  answer.drop();
  const told = answer.header('docker-content-digest');
  if (told !== undefined && /^sha256:[0-9a-f]{64}$/.test(told)) return told;
  return (await manifest(session, tag, signal)).digest;
}

async function* blob(
  sessions: readonly Session[],
  { digest, size }: { readonly digest: string; readonly size: number },
  from: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let offset = from;
  let fruitless = 0;
  let place = 0;
  for (let asked = 1; offset < size; asked++) {
    const session = sessions[place]!;
    const before = offset;
    try {
      for await (const piece of range(session, { digest, size }, offset, signal)) {
        offset += piece.length;
        yield piece;
      }
      if (offset < size) throw new BrokenExchange('it sends less than the layer has');
    } catch (thrown) {
      const mayMove = place < sessions.length - 1;
      if (thrown instanceof CodedError && elsewhere.has(thrown.reason.code) && mayMove) place++;
      else if (!(thrown instanceof BrokenExchange)) throw thrown;
      else {
        fruitless = offset > before ? 1 : fruitless + 1;
        const attempt = asked < limits.registryAttemptsInAll ? fruitless : limits.registryAttempts;
        await session.pause(attempt, thrown.message, signal);
      }
    }
  }
}

async function* range(
  session: Session,
  { digest, size }: { readonly digest: string; readonly size: number },
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
  const answer = await session.ask({ method: 'GET', path: `blobs/${digest}`, headers, signal });
  const start = rangeStart(answer.status, answer.header('content-range'), offset);
  if (start === undefined) {
    answer.drop();
    throw session.refused('HM-REGISTRY-ANSWER', 'it sends another part of the layer than was asked for');
  }
  // A registry without ranges begins anew: what is here already is passed over.
  let at = start;
  for await (const piece of answer.body) {
    const fresh = at >= offset ? piece : piece.subarray(Math.min(piece.length, offset - at));
    at += piece.length;
    if (at > size)
      throw session.refused('HM-IMAGE-DIGEST', `the blob ${digest} has more than its ${size} bytes`);
    if (fresh.length > 0) yield fresh;
  }
}
