/**
 * Claims as bytes. A statement's signed body and an accusation are small msgpack arrays; a statement travels sealed, so
 * whoever passes it on changes nothing. What comes in is checked field by field: it may be from an enemy.
 */
import { decodePlain, encodePlain } from '../../wire/codec.ts';
import { Fields } from '../../wire/fields.ts';
import type { Reader } from '../../wire/reader.ts';
import { packDigest, readDigest, type RecordDigest } from '../../observed/digest.ts';
import type { Accusation, Claim, Condition, NodeId, Notary, Profile, Signed, Statement } from '../model.ts';

/** Name, host and zone are short texts; with credential and signature a statement stays below 700 bytes. */
export const claimBytes = 700;

const conditions: readonly Condition[] = ['ready', 'stalled', 'away'];
const accusations: readonly Accusation['kind'][] = ['suspected', 'dead'];
/** What stands where an accusation has its kind. */
const digestMark = accusations.length;

/** Longest name and zone, as DNS labels; a host is an address or a DNS name. */
export const nameLength = 63;
const hostLength = 253;
/** A daemon that goes may ask for so long at most. */
export const longestAwayMs = 30_000;

function bodyOf({ incarnation, left, profile }: Omit<Statement, 'bytes'>): Uint8Array {
  const { address, condition, awayMs, versions, zone } = profile;
  const { boot, counter } = incarnation;
  const words = [boot, counter, left, address.host, address.port];
  return encodePlain(
    [...words, conditions.indexOf(condition), awayMs ?? 0, versions[0], versions[1], zone],
    claimBytes,
  );
}

/** This node's word under its signature. Its name is the credential's: the cluster's authority gave it. */
export function sealStatement(words: Omit<Statement, 'bytes'>, notary: Notary): Statement {
  return { ...words, bytes: notary.seal(bodyOf(words)) };
}

/** Statements by what the notary answered: it answers the same for the same bytes, while it remembers them. */
const opened = new WeakMap<Signed, Statement>();

/** `undefined` when the seal or the form is not good. */
export function openStatement(bytes: Uint8Array, notary: Notary): Statement | undefined {
  if (bytes.length > claimBytes) return undefined;
  const signed = notary.open(bytes);
  if (!signed) return undefined;
  const known = opened.get(signed);
  if (known) return known;
  // Its own copy, so that the packet it came in is not kept for it.
  const statement = read(signed, Uint8Array.from(bytes));
  if (statement) opened.set(signed, statement);
  return statement;
}

function read({ id, name, body, vouchedUntil }: Signed, bytes: Uint8Array): Statement | undefined {
  const fields = Fields.of(decoded(body));
  const incarnation = { boot: fields.natural(), counter: fields.natural() };
  const left = fields.flag();
  const address = { host: fields.word(hostLength), port: fields.natural(65_535) };
  const condition = fields.one(conditions);
  const awayMs = fields.natural(longestAwayMs);
  const versions = [fields.natural(255), fields.natural(255)] as const;
  const zone = fields.text(nameLength, 0);
  if (!fields.good()) return undefined;
  const profile: Profile = {
    name,
    address,
    condition,
    versions,
    zone,
    ...(awayMs > 0 ? { awayMs } : {}),
    ...(vouchedUntil === undefined ? {} : { vouchedUntil }),
  };
  return { id, incarnation, left, profile, bytes };
}

function decoded(bytes: Uint8Array): unknown {
  try {
    return decodePlain(bytes, claimBytes);
  } catch {
    return undefined;
  }
}

/** A claim as packets and exchanges carry it: a sealed statement, or an accusation's four words. */
export type PackedClaim = Uint8Array | readonly (number | string)[];

export function packAccusation({ kind, id, incarnation, from }: Accusation): PackedClaim {
  return [accusations.indexOf(kind), id, incarnation.boot, incarnation.counter, from];
}

/** News of somebody's records. No claim about a member: it changes nobody's standing. */
export interface Told {
  readonly kind: 'digest';
  readonly digest: RecordDigest;
}

export function packTold(digest: RecordDigest): PackedClaim {
  return [digestMark, ...packDigest(digest)];
}

/** Values of an accusation, and of a digest with its mark. */
const pieceWords = 5;

/** A piece of gossip: a claim, or a digest. `undefined` where there is none; whether it is one in form, the reader knows. */
export function readPiece(reader: Reader): Accusation | Told | Uint8Array | undefined {
  if (reader.atBytes()) return reader.byteString(claimBytes);
  if (reader.array() !== pieceWords) return undefined;
  const mark = reader.natural(digestMark);
  if (mark === digestMark) return { kind: 'digest', digest: readDigest(reader) };
  const kind = accusations[mark]!;
  const id: NodeId = reader.word(nameLength);
  const incarnation = { boot: reader.natural(), counter: reader.natural() };
  return { kind, id, incarnation, from: reader.word(nameLength) };
}

/** `undefined` when it is not a claim in our form; a statement is not opened yet: most are known already. */
export function unpackClaim(packed: unknown): Accusation | Uint8Array | undefined {
  if (packed instanceof Uint8Array) return packed.length > claimBytes ? undefined : packed;
  const fields = Fields.of(packed);
  const kind = fields.one(accusations);
  const id: NodeId = fields.word(nameLength);
  const incarnation = { boot: fields.natural(), counter: fields.natural() };
  const from: NodeId = fields.word(nameLength);
  return fields.good() ? { kind, id, incarnation, from } : undefined;
}

/** The claim as it is packed. */
export function packClaim(claim: Claim): PackedClaim {
  return claim.kind === 'stated' ? claim.statement.bytes : packAccusation(claim);
}

/** How many bytes of a packet it takes, at most: its texts are words, a byte a character. */
export function packedBytes(packed: PackedClaim): number {
  if (packed instanceof Uint8Array) return packed.length + 3;
  return packed.reduce<number>((sum, word) => sum + (typeof word === 'string' ? word.length + 2 : 5), 3);
}
