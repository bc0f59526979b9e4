/**
 * What gossip says of a node's records: how new they are and what they hash to, in some 70 bytes. Not signed: whoever
 * believes it pulls the records, and those are. A node tells the digest of another only when it has those records.
 */
import type { NodeId } from '../membership/model.ts';
import { Fields } from '../wire/fields.ts';
import type { Reader } from '../wire/reader.ts';

/** How new a set of records is: only the node that it is about raises either. */
export interface SetVersion {
  /** The life of the daemon that wrote it. */
  readonly boot: number;
  /** Raised by each change; from 1 in each boot, and on from where it was in one that was raised. */
  readonly sequence: number;
}

export interface RecordDigest extends SetVersion {
  readonly id: NodeId;
  /** Of all records: the first 16 hexadecimal digits. */
  readonly hash: string;
}

const digestHashChars = 16;
const idChars = 63;

export function digestOf(id: NodeId, { boot, sequence, hash }: SetVersion & { hash: string }): RecordDigest {
  return { id, boot, sequence, hash: hash.slice(0, digestHashChars) };
}

/**
 * Below 0 when `a` is older. Of two sets with one version (a node whose journal was damaged may count twice) all nodes
 * take the same, until the owner hears of it and outdoes both.
 */
export function compareDigests(a: Omit<RecordDigest, 'id'>, b: Omit<RecordDigest, 'id'>): number {
  return compareVersions(a, b) || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0);
}

export function compareVersions(a: SetVersion, b: SetVersion): number {
  return a.boot - b.boot || a.sequence - b.sequence;
}

export type PackedDigest = readonly [id: NodeId, boot: number, sequence: number, hash: string];

export function packDigest({ id, boot, sequence, hash }: RecordDigest): PackedDigest {
  return [id, boot, sequence, hash];
}

/** The reader knows whether it is one in form. */
export function readDigest(reader: Reader): RecordDigest {
  const id = reader.word(idChars);
  const [boot, sequence] = [reader.natural(), reader.natural()];
  return { id, boot, sequence, hash: reader.word(digestHashChars, digestHashChars) };
}

/** `undefined` for what is not a digest in our form. */
export function unpackDigest(packed: unknown): RecordDigest | undefined {
  const fields = Fields.of(packed);
  const digest = {
    id: fields.word(idChars),
    boot: fields.natural(),
    sequence: fields.natural(),
    hash: fields.word(digestHashChars, digestHashChars),
  };
  return fields.good() ? digest : undefined;
}
