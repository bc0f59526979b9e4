/**
 * What a store keeps of each revision, and what is read out of it: events for watches, and the keys as they were at
 * an older revision. Values are bytes of the codec here; only what leaves the store is decoded, afresh each time.
 */
import { limits } from '../limits.ts';
import { decodePlain } from '../wire/codec.ts';
import type { KeyValue, StoreEvent } from './model.ts';

/** A key as the store holds it. */
export interface Row {
  /** msgpack */
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease?: string;
}

/** One key at one revision: `row` is absent when it was deleted, `before` when it was not there. */
export interface Change {
  readonly key: string;
  readonly row?: Row;
  readonly before?: Row;
}

/** One whole revision. */
export interface Commit {
  readonly revision: number;
  /** Wall time, ms since 1970: how old the history is. */
  readonly at: number;
  /** Of the transaction that made it; a lease's end has none. */
  readonly requestId?: string;
  readonly changes: readonly Change[];
}

/** A lease as the store holds it; its deadline lives in memory. */
export interface LeaseRow {
  readonly ttlMs: number;
  readonly keys: readonly string[];
}

/** A row as its reader sees it: decoded, sharing nothing. */
export function keyValue(key: string, row: Row): KeyValue {
  return {
    key,
    value: decodePlain(row.value, limits.storeValueBytes),
    createRevision: row.createRevision,
    modRevision: row.modRevision,
    version: row.version,
    ...(row.lease === undefined ? {} : { lease: row.lease }),
  };
}

/** The events of one revision on keys with the prefix, in the order they were written. */
export function eventsOf(commit: Commit, prefix: string): StoreEvent[] {
  return commit.changes
    .filter(({ key }) => key.startsWith(prefix))
    .map(({ key, row }) =>
      row ? { type: 'put', kv: keyValue(key, row) } : { type: 'delete', key, modRevision: commit.revision },
    );
}

/**
 * The rows with the prefix that differ from the present ones at an older revision: `undefined` for a key that was
 * not there. `later` are the commits after that revision, oldest first.
 */
export function rowsBefore(later: Iterable<Commit>, prefix: string): Map<string, Row | undefined> {
  const rows = new Map<string, Row | undefined>();
  for (const { changes } of later) {
    for (const { key, before } of changes) {
      if (key.startsWith(prefix) && !rows.has(key)) rows.set(key, before);
    }
  }
  return rows;
}
