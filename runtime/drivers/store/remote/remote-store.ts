/**
 * The store of a node that keeps none: the one of its server, over connections that come and go. A write whose answer was
 * lost is asked for again under the same request id, so that it happens once; a watch goes on from its place, so that
 * nothing is missed or told twice. What cannot be known is said so: HM-STORE-UNKNOWN-OUTCOME.
 */
import { CodedError, coded, reasonOf, type ErrorCode } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Call, Clock, StateStore, Stop } from '../../../../protocols/ports.ts';
import type {
  KeyValue,
  Position,
  StoreStatus,
  Txn,
  TxnResult,
  WatchNotice,
} from '../../../../protocols/state/model.ts';
import { checkKey, checkPrefix, sealTxn } from '../../../../protocols/state/txn.ts';
import type { Calls, Peer } from '../../../../protocols/wire/calls.ts';
import { Turns } from './turns.ts';

export interface RemoteStoreOptions {
  readonly calls: Calls;
  readonly clock: Clock;
  /** Whose store it is, now. */
  readonly server: () => Peer;
}

type ListArgs = Parameters<StateStore['list']>[0];
type Listed = Awaited<ReturnType<StateStore['list']>>;

/** Of a connection, not of the store: it may be asked again. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'HM-PEER-UNREACHABLE',
  'HM-PEER-TIMEOUT',
  'HM-PEER-BUSY',
  'HM-PEER-IDENTITY',
  'HM-PEER-REFUSED',
  'HM-PEER-VERSION',
]);
/** Of those: whether the server did it is not known. */
const unknown: ReadonlySet<ErrorCode> = new Set(['HM-PEER-UNREACHABLE', 'HM-PEER-TIMEOUT']);

export class RemoteStore implements StateStore {
  readonly #calls: Calls;
  readonly #clock: Clock;
  readonly #server: () => Peer;
  readonly #turns: Turns;
  readonly #watches = new Set<() => void>();
  #closed = false;
  /** What waits to ask again. */
  readonly #pauses = new Set<() => void>();

  constructor({ calls, clock, server }: RemoteStoreOptions) {
    this.#calls = calls;
    this.#clock = clock;
    this.#server = server;
    this.#turns = new Turns(clock, limits.remoteStoreCalls, limits.storeQueue);
  }

  async status(_args: Record<string, never>, call: Call): Promise<StoreStatus> {
    return (await this.#read('store.status', {}, call)) as StoreStatus;
  }

  async get({ key }: { readonly key: string }, call: Call): Promise<{ kv?: KeyValue; position: Position }> {
    checkKey(key);
    return (await this.#read('store.get', { key }, call)) as { kv?: KeyValue; position: Position };
  }

  async list(args: ListArgs, call: Call): Promise<Listed> {
    checkPrefix(args.prefix);
    checkPrefix(args.startAfter ?? '');
    if (args.limit !== undefined && !(Number.isSafeInteger(args.limit) && args.limit > 0))
      throw coded('HM-STORE-LIMIT', `A list's limit is a positive number, not ${args.limit}.`);
    for (let begun = 1; ; begun++) {
      try {
        return await this.#pages(args, call);
      } catch (thrown) {
        const isGone = args.at === undefined && reasonOf(thrown).code === 'HM-STORE-COMPACTED';
        if (!isGone || begun >= limits.remoteStoreLists) throw thrown;
      }
    }
  }

  /** All pages of the revision of the first. */
  async #pages(args: ListArgs, call: Call): Promise<Listed> {
    const kvs: KeyValue[] = [];
    let position: Position | undefined;
    for (;;) {
      const last = kvs.at(-1)?.key ?? args.startAfter;
      const at = args.at ?? position?.revision;
      const left = args.limit === undefined ? {} : { limit: args.limit - kvs.length };
      const request = {
        prefix: args.prefix,
        ...left,
        ...(last === undefined ? {} : { startAfter: last }),
        ...(at === undefined ? {} : { at }),
      };
      const page = (await this.#read('store.list', request, call)) as Listed;
      position ??= page.position;
      kvs.push(...page.kvs);
      if (!page.more || kvs.length === args.limit) return { kvs, more: page.more, position };
    }
  }

  async txn(args: Txn, call: Call): Promise<TxnResult> {
    const { requestId, compare, then } = sealTxn(args);
    return (await this.#write('store.txn', { requestId, compare, then }, call)) as TxnResult;
  }

  async grant({ ttlMs }: { readonly ttlMs: number }, call: Call): Promise<{ lease: string }> {
    if (!Number.isFinite(ttlMs)) throw coded('HM-STORE-LIMIT', `A lease does not last ${ttlMs} ms.`);
    return (await this.#write('store.grant', { ttlMs, key: call.key }, call)) as { lease: string };
  }

  async keepAlive({ lease }: { readonly lease: string }, call: Call): Promise<{ ttlMs: number }> {
    return (await this.#read('store.keep-alive', { lease }, call)) as { ttlMs: number };
  }

  async revoke({ lease }: { readonly lease: string }, call: Call): Promise<TxnResult> {
    return (await this.#write('store.revoke', { lease }, call)) as TxnResult;
  }

  watch(
    { prefix, after }: { readonly prefix: string; readonly after: Position },
    notify: (notice: WatchNotice) => void,
  ): Stop {
    const gone = new AbortController();
    const tell = (notice: WatchNotice): void => {
      if (gone.signal.aborted) return;
      if (notice.type !== 'changed') stop();
      notify(notice);
    };
    const stop = (): void => {
      this.#watches.delete(close);
      gone.abort();
    };
    const close = (): void =>
      tell({ type: 'failed', error: coded('HM-STORE-DOWN', 'The store was closed.') });
    this.#watches.add(close);
    this.#clock.defer(() => {
      if (this.#closed) return close();
      try {
        checkPrefix(prefix);
      } catch (error) {
        return tell({ type: 'failed', error });
      }
      void this.#follow({ prefix, after }, tell, gone.signal);
    });
    return stop;
  }

  /** One question after the other, each behind the place where the last answer ended. */
  async #follow(
    { prefix, after }: { readonly prefix: string; readonly after: Position },
    tell: (notice: WatchNotice) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let place = after;
    while (!signal.aborted) {
      try {
        const options = { timeoutMs: Infinity, signal };
        const notice = (await this.#calls.call(
          this.#server(),
          'store.watch',
          { prefix, after: place },
          options,
        )) as Exclude<WatchNotice, { type: 'failed' }>;
        if (notice.type === 'changed') place = notice.position;
        tell(notice);
      } catch (error) {
        if (signal.aborted) return;
        const { code } = reasonOf(error);
        // A server that starts anew closes its store first; the place in it is good afterwards, or refused then.
        if (!passing.has(code) && code !== 'HM-STORE-DOWN') return tell({ type: 'failed', error });
        await this.#pause(limits.retryMs, signal);
      }
    }
  }

  /** Refuses what waits and ends every watch. The connections are not its own. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#turns.close();
    for (const end of [...this.#pauses]) end();
    for (const end of [...this.#watches]) end();
  }

  async #read(type: string, body: unknown, call: Call): Promise<unknown> {
    try {
      return await this.#ask(type, body, call);
    } catch (thrown) {
      throw this.#down(thrown);
    }
  }

  /** Asked again while the answer may have been lost: the request id makes both one. */
  async #write(type: string, body: unknown, call: Call): Promise<unknown> {
    const endsAt = this.#clock.monotonicMs() + limits.writeMs;
    let sent = false;
    for (;;) {
      try {
        return await this.#ask(type, body, call);
      } catch (thrown) {
        const { code, message } = reasonOf(thrown);
        sent ||= unknown.has(code);
        const again = passing.has(code) && sent && !call.signal.aborted && !this.#closed;
        if (!again || this.#clock.monotonicMs() + limits.retryMs > endsAt) {
          if (sent && passing.has(code)) throw coded('HM-STORE-UNKNOWN-OUTCOME', message);
          throw this.#down(thrown);
        }
      }
      await this.#pause(limits.retryMs, call.signal);
    }
  }

  #ask(type: string, body: unknown, { signal }: Call): Promise<unknown> {
    if (this.#closed) return Promise.reject(coded('HM-STORE-DOWN', 'The store is closed.'));
    const options = { timeoutMs: limits.writeMs, signal };
    return this.#turns.take(() => this.#calls.call(this.#server(), type, body, options), signal);
  }

  #down(thrown: unknown): Error {
    const because = reasonOf(thrown);
    if (!passing.has(because.code)) return thrown as Error;
    const text = `The store's server cannot be asked: ${because.message}`;
    return new CodedError(coded('HM-STORE-DOWN', text, because.evidence).reason, { cause: thrown });
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted || this.#closed) return resolve();
      const end = (): void => {
        this.#pauses.delete(end);
        this.#clock.clearTimer(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#clock.setTimer(ms, end);
      signal.addEventListener('abort', end);
      this.#pauses.add(end);
    });
  }
}
