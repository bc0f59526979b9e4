/**
 * What a transaction is and does: checked and sealed at the door, then decided against the rows of the moment.
 * Pure, and the same for every driver of ours, so that they cannot differ by accident.
 */
import { coded, type CodedError } from '../errors.ts';
import { limits } from '../limits.ts';
import { CodecError, encodePlain, isWellFormed } from '../wire/codec.ts';
import type { Change, LeaseRow, Row } from './history.ts';
import type { Compare, StoreOp, Txn } from './model.ts';
import { compareKeys, utf8Bytes } from './order.ts';

/** A checked transaction: values are bytes, nothing is shared with the caller. */
export interface SealedTxn {
  readonly requestId: string;
  readonly compare: readonly Compare[];
  readonly then: readonly SealedOp[];
  /** Of keys and values together. */
  readonly bytes: number;
}

export interface SealedOp {
  readonly key: string;
  /** msgpack; absent for a delete. */
  readonly value?: Uint8Array;
  readonly lease?: string;
}

/** The store at one moment, also in the middle of a group commit. */
export interface View {
  readonly revision: number;
  row(key: string): Row | undefined;
  lease(id: string): LeaseRow | undefined;
}

const tooMuch = (message: string, evidence: Record<string, string | number> = {}): CodedError =>
  coded('HM-STORE-LIMIT', message, evidence);

/** Throws HM-STORE-LIMIT unless it may be a key. */
export function checkKey(key: string): void {
  const bytes = utf8Bytes(key);
  if (bytes === 0) throw tooMuch('A key is empty.');
  if (bytes > limits.storeKeyBytes) {
    throw tooMuch(`A key has ${bytes} bytes; at most ${limits.storeKeyBytes} are allowed.`, {
      key: key.slice(0, 100),
    });
  }
  if (!isWellFormed(key)) throw tooMuch('A key is not well-formed text.', { key: JSON.stringify(key) });
}

/** Throws HM-STORE-LIMIT unless keys could begin with it: half a character matches by units, but not by bytes. */
export function checkPrefix(prefix: string): void {
  if (!isWellFormed(prefix)) {
    throw tooMuch('A prefix is not well-formed text.', { prefix: JSON.stringify(prefix) });
  }
}

function seal(key: string, value: unknown): Uint8Array {
  try {
    return encodePlain(value, limits.storeValueBytes);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw tooMuch(`The value of ${key} cannot be stored: ${error.message}.`, { key });
  }
}

function sealOp(op: StoreOp): SealedOp {
  checkKey(op.key);
  if (op.op === 'delete') return { key: op.key };
  return {
    key: op.key,
    value: seal(op.key, op.value),
    ...(op.lease === undefined ? {} : { lease: op.lease }),
  };
}

/** Check everything that does not depend on the store's content. Throws HM-STORE-LIMIT; then nothing was written. */
export function sealTxn(txn: Txn): SealedTxn {
  const idBytes = utf8Bytes(txn.requestId);
  if (idBytes === 0 || idBytes > limits.storeRequestIdBytes || !isWellFormed(txn.requestId)) {
    throw tooMuch(`A request id has 1 to ${limits.storeRequestIdBytes} bytes of well-formed text.`);
  }
  for (const [name, list] of Object.entries({ compare: txn.compare, then: txn.then })) {
    if (list.length > limits.storeTxnOps) {
      throw tooMuch(
        `A transaction has ${list.length} in "${name}"; at most ${limits.storeTxnOps} are allowed.`,
      );
    }
  }
  for (const { key } of txn.compare) checkKey(key);
  const then = txn.then.map(sealOp);
  const twice = then.find((op, index) => then.findIndex(({ key }) => key === op.key) !== index);
  if (twice) throw tooMuch(`A transaction writes ${twice.key} twice.`, { key: twice.key });
  const bytes = then.reduce((sum, { key, value }) => sum + utf8Bytes(key) + (value?.length ?? 0), 0);
  if (bytes > limits.storeTxnBytes) {
    throw tooMuch(`A transaction has ${bytes} bytes; at most ${limits.storeTxnBytes} are allowed.`);
  }
  return { requestId: txn.requestId, compare: txn.compare.map((compare) => ({ ...compare })), then, bytes };
}

function changeOf(view: View, op: SealedOp, revision: number): Change | undefined {
  const before = view.row(op.key);
  const kept = before === undefined ? {} : { before };
  // Deleting what is not there writes nothing, as in etcd.
  if (op.value === undefined) return before && { key: op.key, before };
  const lease = op.lease === undefined ? undefined : view.lease(op.lease);
  if (op.lease !== undefined && !lease) {
    throw coded('HM-STORE-LEASE', `Lease ${op.lease} has ended.`, { lease: op.lease, key: op.key });
  }
  const row: Row = {
    value: op.value,
    createRevision: before?.createRevision ?? revision,
    modRevision: revision,
    version: (before?.version ?? 0) + 1,
    ...(op.lease === undefined ? {} : { lease: op.lease }),
  };
  return { key: op.key, row, ...kept };
}

/**
 * The changes that a transaction makes at the view's next revision; `undefined` when a compare does not hold.
 * No change, no revision. Throws HM-STORE-LEASE, HM-STORE-LIMIT (keys of a lease).
 */
export function decideTxn(view: View, txn: SealedTxn): readonly Change[] | undefined {
  const holds = txn.compare.every(({ key, field, equals }) => (view.row(key)?.[field] ?? 0) === equals);
  if (!holds) return undefined;
  const changes = txn.then.flatMap((op) => changeOf(view, op, view.revision + 1) ?? []);
  for (const [id, lease] of leasesAfter(view, changes)) {
    if (lease.keys.length > limits.storeLeaseKeys) {
      throw tooMuch(`Lease ${id} would hold more than ${limits.storeLeaseKeys} keys.`, { lease: id });
    }
  }
  return changes;
}

/** The changes that a lease's end makes: its keys go at one revision, in key order. */
export function decideLeaseEnd(view: View, lease: LeaseRow): readonly Change[] {
  return [...lease.keys].sort(compareKeys).flatMap((key) => changeOf(view, { key }, view.revision + 1) ?? []);
}

/** The leases whose keys differ after the changes. */
export function leasesAfter(view: View, changes: readonly Change[]): Map<string, LeaseRow> {
  const keys = new Map<string, Set<string>>();
  const keysOf = (id: string): Set<string> | undefined => {
    const lease = view.lease(id);
    if (lease && !keys.has(id)) keys.set(id, new Set(lease.keys));
    return keys.get(id);
  };
  for (const { key, row, before } of changes) {
    if (row?.lease === before?.lease) continue;
    if (before?.lease !== undefined) keysOf(before.lease)?.delete(key);
    if (row?.lease !== undefined) keysOf(row.lease)?.add(key);
  }
  return new Map([...keys].map(([id, set]) => [id, { ttlMs: view.lease(id)!.ttlMs, keys: [...set] }]));
}
