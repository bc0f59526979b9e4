/**
 * The desired-state store's vocabulary: positions, transactions, watches, leases. The three drivers
 * (`memory` is the oracle) behave alike under `test/conformance/state-store`.
 */

/** A point in a store's history. A restore raises the epoch, so an older store is never mistaken for a newer one. */
export interface Position {
  readonly epoch: number;
  readonly revision: number;
}

/** Which store this is: a fresh store draws a new id. */
export interface StoreIdentity {
  readonly id: string;
  readonly epoch: number;
}

/** Plain msgpack-able data: null, booleans, numbers, strings, Uint8Array, arrays, string-keyed objects. */
export type Plain =
  null | boolean | number | string | Uint8Array | readonly Plain[] | { readonly [key: string]: Plain };

export interface KeyValue {
  readonly key: string;
  readonly value: unknown;
  readonly createRevision: number;
  readonly modRevision: number;
  /** Writes since it was created, from 1. */
  readonly version: number;
  readonly lease?: string;
}

/** Holds when the key's field equals the number; an absent key has 0 in every field. */
export interface Compare {
  readonly key: string;
  readonly field: 'createRevision' | 'modRevision' | 'version';
  readonly equals: number;
}

export type StoreOp =
  | { readonly op: 'put'; readonly key: string; readonly value: unknown; readonly lease?: string }
  | { readonly op: 'delete'; readonly key: string };

/** All compares hold → all of `then`, at one new revision; else nothing. At most `limits.storeTxnOps` of each. */
export interface Txn {
  /** A retry with the same id returns the first outcome. */
  readonly requestId: string;
  readonly compare: readonly Compare[];
  readonly then: readonly StoreOp[];
}

export interface TxnResult {
  readonly succeeded: boolean;
  /** The revision of the write, or the present one when nothing was written. */
  readonly position: Position;
}

export type StoreEvent =
  | { readonly type: 'put'; readonly kv: KeyValue }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number };

/** `changed` holds all events of one or more whole revisions, in order; the other two end the watch. */
export type WatchNotice =
  | { readonly type: 'changed'; readonly events: readonly StoreEvent[]; readonly position: Position }
  | { readonly type: 'compacted'; readonly oldest: Position }
  | { readonly type: 'failed'; readonly error: unknown };

export interface StoreStatus {
  readonly identity: StoreIdentity;
  readonly position: Position;
  /** The oldest position a watch may start after. */
  readonly oldest: Position;
}

/** Later than, within one store: epochs first. */
export function comparePositions(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.revision - b.revision;
}
