/**
 * The store on top of any backend: everything that `memory` and `embedded` have in common. Reads answer from what is
 * durable; writes go through the queue one after the other; leases, watches, retries and compaction hang on commits.
 */
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Call, Clock, Random, StateStore, Stop } from '../../../protocols/ports.ts';
import { keyValue, rowsBefore, type LeaseRow, type Row } from '../../../protocols/state/history.ts';
import type {
  KeyValue,
  Position,
  StoreStatus,
  Txn,
  TxnResult,
  WatchNotice,
} from '../../../protocols/state/model.ts';
import { compareKeys } from '../../../protocols/state/order.ts';
import { checkKey, checkPrefix, sealTxn } from '../../../protocols/state/txn.ts';
import { commitsAfter, type Backend } from './backend.ts';
import { Compactor } from './compactor.ts';
import { LeaseClock } from './lease-clock.ts';
import { Stage } from './stage.ts';
import { Watches } from './watches.ts';
import { WriteQueue } from './write-queue.ts';

export interface EngineWorld {
  readonly clock: Clock;
  readonly random: Random;
}

type ListArgs = Parameters<StateStore['list']>[0];
type Listed = Awaited<ReturnType<StateStore['list']>>;

export class StoreEngine implements StateStore {
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #leases: Map<string, LeaseRow>;
  readonly #leaseClock: LeaseClock;
  readonly #watches: Watches;
  readonly #compactor: Compactor;
  readonly #queue: WriteQueue;
  /** First answers by request id, oldest first. */
  readonly #answers = new Map<string, TxnResult>();
  /** Leases by the key of the call that granted them, oldest first. */
  readonly #grants = new Map<string, string>();
  #lastAt = 0;
  #closed = false;

  constructor(backend: Backend, { clock, random }: EngineWorld) {
    this.#backend = backend;
    this.#clock = clock;
    this.#random = random;
    this.#leases = new Map(backend.leases());
    this.#leaseClock = new LeaseClock(clock, () => this.#endDue());
    this.#watches = new Watches(backend, clock);
    this.#compactor = new Compactor(backend, clock);
    this.#queue = new WriteQueue(clock, {
      begin: () => this.#begin(),
      commit: (stage) => this.#commit(stage),
    });
    this.#recall();
    for (const [id, { ttlMs }] of this.#leases) this.#leaseClock.renew(id, ttlMs);
    this.#compactor.consider();
  }

  async status(): Promise<StoreStatus> {
    this.#assertOpen();
    const { identity } = this.#backend;
    const oldest = { epoch: identity.epoch, revision: this.#backend.oldest() };
    return { identity: { ...identity }, position: this.#position(), oldest };
  }

  async get({ key }: { readonly key: string }): Promise<{ kv?: KeyValue; position: Position }> {
    this.#assertOpen();
    checkKey(key);
    const row = this.#backend.row(key);
    return { ...(row ? { kv: keyValue(key, row) } : {}), position: this.#position() };
  }

  async list({ prefix, limit, startAfter, at }: ListArgs): Promise<Listed> {
    this.#assertOpen();
    checkPrefix(prefix);
    checkPrefix(startAfter ?? '');
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
      throw coded('HM-STORE-LIMIT', `A list's limit is a positive number, not ${limit}.`);
    }
    const revision = at ?? this.#backend.revision();
    const kvs: KeyValue[] = [];
    for (const [key, row] of this.#rowsAt(revision, prefix, startAfter)) {
      if (kvs.length === limit) return { kvs, more: true, position: this.#position(revision) };
      kvs.push(keyValue(key, row));
    }
    return { kvs, more: false, position: this.#position(revision) };
  }

  async txn(args: Txn, call: Call): Promise<TxnResult> {
    const sealed = sealTxn(args);
    return this.#queue.add(
      (stage) =>
        this.#answers.get(sealed.requestId) ?? stage.answers.get(sealed.requestId) ?? stage.txn(sealed),
      call.signal,
      sealed.bytes,
    );
  }

  async grant({ ttlMs }: { readonly ttlMs: number }, call: Call): Promise<{ lease: string }> {
    if (!(Number.isSafeInteger(ttlMs) && ttlMs > 0 && ttlMs <= limits.storeLeaseMs)) {
      throw coded('HM-STORE-LIMIT', `A lease lasts 1 to ${limits.storeLeaseMs} ms, not ${ttlMs}.`);
    }
    const lease = await this.#queue.add((stage) => {
      const known = this.#grants.get(call.key);
      if (known !== undefined && stage.lease(known)) return known;
      if (this.#leases.size + stage.leases.size >= limits.storeLeases) {
        throw coded('HM-STORE-LIMIT', `The store holds ${limits.storeLeases} leases already.`);
      }
      const id = this.#random.hex(8);
      stage.grant(id, ttlMs);
      remember(this.#grants, call.key, id);
      return id;
    }, call.signal);
    return { lease };
  }

  async keepAlive({ lease }: { readonly lease: string }): Promise<{ ttlMs: number }> {
    this.#assertOpen();
    const row = this.#leases.get(lease);
    if (!row) throw coded('HM-STORE-LEASE', `Lease ${lease} has ended.`, { lease });
    this.#leaseClock.renew(lease, row.ttlMs);
    return { ttlMs: row.ttlMs };
  }

  async revoke({ lease }: { readonly lease: string }, call: Call): Promise<TxnResult> {
    return this.#queue.add((stage) => stage.endLease(lease), call.signal);
  }

  watch(
    { prefix, after }: { readonly prefix: string; readonly after: Position },
    notify: (notice: WatchNotice) => void,
  ): Stop {
    if (!this.#closed) return this.#watches.add(prefix, after, notify);
    let open = true;
    this.#clock.defer(() => open && notify({ type: 'failed', error: coded('HM-STORE-DOWN') }));
    return () => (open = false);
  }

  /** Refuses what waits, ends every watch, lets go of timers and files. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.close();
    this.#leaseClock.stop();
    this.#compactor.stop();
    this.#watches.fail(coded('HM-STORE-DOWN', 'The store was closed.'));
    await this.#backend.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw coded('HM-STORE-DOWN', 'The store is closed.');
  }

  #position(revision = this.#backend.revision()): Position {
    return { epoch: this.#backend.identity.epoch, revision };
  }

  /** The answers that retries after a restart will ask for are in the history. */
  #recall(): void {
    const revision = this.#backend.revision();
    const from = Math.max(this.#backend.oldest(), revision - limits.storeRequestIds);
    for (let known = from + 1; known <= revision; known++) {
      const { at, requestId } = this.#backend.headOf(known);
      this.#lastAt = Math.max(this.#lastAt, at);
      if (requestId === undefined) continue;
      remember(this.#answers, requestId, { succeeded: true, position: this.#position(known) });
    }
  }

  /** Commit times never go back, whatever the wall clock does: the age of history is found by halving. */
  #begin(): Stage {
    this.#lastAt = Math.max(this.#lastAt, this.#clock.now());
    return new Stage(this.#backend, this.#leases, this.#lastAt);
  }

  #commit(stage: Stage): void {
    if (stage.changed) this.#backend.write({ commits: stage.commits, leases: stage.leases });
    for (const [requestId, answer] of stage.answers) remember(this.#answers, requestId, answer);
    for (const [id, lease] of stage.leases) this.#settleLease(id, lease);
    if (stage.commits.length === 0) return;
    this.#watches.wake();
    this.#compactor.consider();
  }

  #settleLease(id: string, lease: LeaseRow | undefined): void {
    const fresh = !this.#leases.has(id);
    if (!lease) {
      this.#leases.delete(id);
      this.#leaseClock.forget(id);
      return;
    }
    this.#leases.set(id, lease);
    if (fresh) this.#leaseClock.renew(id, lease.ttlMs);
  }

  /** A lease that was renewed while its end waited in the queue lives on. */
  #endDue(): void {
    const ended = this.#queue.add((stage) => {
      for (const id of this.#leaseClock.due()) if (stage.lease(id)) stage.endLease(id);
    });
    ended.then(
      () => this.#closed || this.#leaseClock.rearm(),
      () => this.#closed || this.#leaseClock.rearm(limits.retryMs),
    );
  }

  #rowsAt(revision: number, prefix: string, startAfter?: string): Iterable<readonly [string, Row]> {
    const present = this.#backend.revision();
    if (revision === present) return this.#backend.rows(prefix, startAfter);
    if (revision > present) {
      throw coded('HM-STORE-FOREIGN', `Revision ${revision} is asked for; the store is at ${present}.`);
    }
    if (revision < this.#backend.oldest() || !Number.isSafeInteger(revision)) {
      throw coded('HM-STORE-COMPACTED', `Revision ${revision} is gone.`, { oldest: this.#backend.oldest() });
    }
    const rows = new Map<string, Row | undefined>(this.#backend.rows(prefix, startAfter));
    for (const [key, row] of rowsBefore(commitsAfter(this.#backend, revision), prefix)) {
      if (startAfter === undefined || compareKeys(key, startAfter) > 0) rows.set(key, row);
    }
    return [...rows]
      .flatMap(([key, row]) => (row ? [[key, row] as const] : []))
      .sort(([a], [b]) => compareKeys(a, b));
  }
}

/** Remember the newest `limits.storeRequestIds`. */
function remember<Value>(known: Map<string, Value>, key: string, value: Value): void {
  known.delete(key);
  known.set(key, value);
  if (known.size <= limits.storeRequestIds) return;
  for (const oldest of known.keys()) {
    known.delete(oldest);
    break;
  }
}
