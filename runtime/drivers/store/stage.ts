/**
 * A group commit while it is being decided: what the requests before saw and wrote stands on top of what is durable.
 * Nothing of it is true until the backend has written it; a failed write throws the stage away.
 */
import { coded } from '../../../protocols/errors.ts';
import type { Change, Commit, LeaseRow, Row } from '../../../protocols/state/history.ts';
import type { TxnResult } from '../../../protocols/state/model.ts';
import {
  decideLeaseEnd,
  decideTxn,
  leasesAfter,
  type SealedTxn,
  type View,
} from '../../../protocols/state/txn.ts';
import type { Backend } from './backend.ts';

export class Stage implements View {
  revision: number;
  readonly commits: Commit[] = [];
  readonly leases = new Map<string, LeaseRow | undefined>();
  readonly answers = new Map<string, TxnResult>();
  readonly #rows = new Map<string, Row | undefined>();
  readonly #backend: Backend;
  readonly #durableLeases: ReadonlyMap<string, LeaseRow>;
  readonly #at: number;

  constructor(backend: Backend, leases: ReadonlyMap<string, LeaseRow>, at: number) {
    this.revision = backend.revision();
    this.#backend = backend;
    this.#durableLeases = leases;
    this.#at = at;
  }

  row(key: string): Row | undefined {
    return this.#rows.has(key) ? this.#rows.get(key) : this.#backend.row(key);
  }

  lease(id: string): LeaseRow | undefined {
    return this.leases.has(id) ? this.leases.get(id) : this.#durableLeases.get(id);
  }

  get changed(): boolean {
    return this.commits.length > 0 || this.leases.size > 0;
  }

  /** Throws HM-STORE-LEASE, HM-STORE-LIMIT; then this transaction left no trace. */
  txn(txn: SealedTxn): TxnResult {
    const changes = decideTxn(this, txn);
    if (changes) this.#commit(changes, txn.requestId);
    const answer = this.#answer(changes !== undefined);
    this.answers.set(txn.requestId, answer);
    return answer;
  }

  grant(id: string, ttlMs: number): void {
    this.leases.set(id, { ttlMs, keys: [] });
  }

  /** Throws HM-STORE-LEASE when it has ended already. */
  endLease(id: string): TxnResult {
    const lease = this.lease(id);
    if (!lease) throw coded('HM-STORE-LEASE', `Lease ${id} has ended.`, { lease: id });
    this.#commit(decideLeaseEnd(this, lease));
    this.leases.set(id, undefined);
    return this.#answer(true);
  }

  #answer(succeeded: boolean): TxnResult {
    return { succeeded, position: { epoch: this.#backend.identity.epoch, revision: this.revision } };
  }

  #commit(changes: readonly Change[], requestId?: string): void {
    if (changes.length === 0) return;
    for (const [id, lease] of leasesAfter(this, changes)) this.leases.set(id, lease);
    for (const { key, row } of changes) this.#rows.set(key, row);
    this.revision += 1;
    const request = requestId === undefined ? {} : { requestId };
    this.commits.push({ revision: this.revision, at: this.#at, ...request, changes });
  }
}
