/** How rows, commits and leases are written in lmdb: keys that sort as they should, values as msgpack tuples. */
import { limits } from '../../../../protocols/limits.ts';
import { prefixEnd } from '../../../../protocols/state/keys.ts';
import type { Change, Commit, LeaseRow, Row } from '../../../../protocols/state/history.ts';
import { decodePlain, encodePlain } from '../../../../protocols/wire/codec.ts';

type RowTuple = readonly [
  value: Uint8Array,
  createRevision: number,
  modRevision: number,
  version: number,
  lease: string | null,
];

/** Two rows and their key. */
const maxBytes = 2 * limits.storeValueBytes + 65_536;

const rowTuple = (row: Row): RowTuple => [
  row.value,
  row.createRevision,
  row.modRevision,
  row.version,
  row.lease ?? null,
];

const rowOf = ([value, createRevision, modRevision, version, lease]: RowTuple): Row => ({
  value,
  createRevision,
  modRevision,
  version,
  ...(lease === null ? {} : { lease }),
});

const pack = (value: unknown): Buffer => {
  const bytes = encodePlain(value, maxBytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};

export const encodeRow = (row: Row): Buffer => pack(rowTuple(row));
export const decodeRow = (bytes: Uint8Array): Row => rowOf(decodePlain(bytes, maxBytes) as RowTuple);

export const encodeChange = ({ key, row, before }: Change): Buffer =>
  pack([key, row ? rowTuple(row) : null, before ? rowTuple(before) : null]);

export function decodeChange(bytes: Uint8Array): Change {
  const [key, row, before] = decodePlain(bytes, maxBytes) as [string, RowTuple | null, RowTuple | null];
  return { key, ...(row ? { row: rowOf(row) } : {}), ...(before ? { before: rowOf(before) } : {}) };
}

/** What stands before the changes of a commit: `at`, the request's id. */
export type CommitHead = Pick<Commit, 'at' | 'requestId'>;

export const encodeHead = ({ at, requestId }: CommitHead): Buffer => pack([at, requestId ?? null]);

export function decodeHead(bytes: Uint8Array): CommitHead {
  const [at, requestId] = decodePlain(bytes, maxBytes) as [number, string | null];
  return { at, ...(requestId === null ? {} : { requestId }) };
}

export const encodeLease = ({ ttlMs, keys }: LeaseRow): Buffer => {
  const bytes = encodePlain([ttlMs, keys], limits.storeLeaseKeys * (limits.storeKeyBytes + 8));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};

export function decodeLease(bytes: Uint8Array): LeaseRow {
  const [ttlMs, keys] = decodePlain(bytes, limits.storeLeaseKeys * (limits.storeKeyBytes + 8)) as [
    number,
    string[],
  ];
  return { ttlMs, keys };
}

export const encodePlainMeta = (value: number | string): Buffer => pack(value);
export const decodePlainMeta = (bytes: Uint8Array): unknown => decodePlain(bytes, maxBytes);

/** Sorts by revision; 0 is the head of the commit, its changes follow from 1. */
export function historyKey(revision: number, index = 0): Buffer {
  const key = Buffer.alloc(8);
  key.writeUIntBE(revision, 0, 6);
  key.writeUInt16BE(index, 6);
  return key;
}

export const revisionOfKey = (key: Uint8Array): number => Buffer.from(key).readUIntBE(0, 6);
export const indexOfKey = (key: Uint8Array): number => Buffer.from(key).readUInt16BE(6);

/** The range of keys with a prefix after `startAfter`, in bytes. */
export function keyRange(
  prefix: string,
  startAfter = '',
): { start: Buffer; end?: Buffer; exclusiveStart: boolean } {
  const first = Buffer.from(prefix);
  const after = Buffer.from(startAfter);
  const exclusiveStart = Buffer.compare(after, first) >= 0;
  const end = prefixEnd(first);
  return { start: exclusiveStart ? after : first, exclusiveStart, ...(end ? { end: Buffer.from(end) } : {}) };
}
