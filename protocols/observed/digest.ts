/**
 * What gossip says of a node's records: how new they are and what they hash to, in some 70 bytes. Not signed: whoever
 * believes it pulls the records, and those are. A node tells the digest of another only when it has those records.
 */
import type { NodeId } from '../membership/model.ts';
import { Fields } from '../wire/fields.ts';

/** How new a set of records is: only the node that it is about raises either. */
interface SetVersion {
  /** The life of the daemon that wrote it. */
  readonly boot: number;
  /** From 1 in each boot; raised by each change. */
  readonly sequence: number;
}

export interface RecordDigest extends SetVersion {
  readonly id: NodeId;
  /** Of all records: the first 16 hexadecimal digits. */
  readonly hash: string;
}

const digestHashChars = 16;
const idChars = 63;

type PackedDigest = readonly [id: NodeId, boot: number, sequence: number, hash: string];

export function packDigest({ id, boot, sequence, hash }: RecordDigest): PackedDigest {
  return [id, boot, sequence, hash];
}

/** `undefined` for what is not a digest in our form. */
export function unpackDigest(packed: unknown): RecordDigest | undefined {
  const fields = Fields.of(packed);
  const digest = {
    id: fields.text(idChars),
    boot: fields.natural(),
    sequence: fields.natural(),
    hash: fields.text(digestHashChars, digestHashChars),
  };
  return fields.good() ? digest : undefined;
}
