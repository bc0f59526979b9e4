/**
 * What the two sides of an exchange send each other: plain arrays, each short enough for a frame. What comes in is
 * checked field by field, as in packets.
 */
import { Fields } from '../../wire/fields.ts';
import { nameLength, packedBytes, unpackClaim, type PackedClaim } from '../claims/codec.ts';
import type { Accusation, MemberStatus, NodeId } from '../model.ts';
import type { Standing } from '../claims/precedence.ts';
import { hashBytes, mostBuckets, type Line } from './digest.ts';

/** Longest request and longest answer, encoded: read in well under a millisecond. */
export const exchangeBytes = 65_536;

/** Of that, what claims or lines may fill; the rest is for up to 256 ids that are asked for, and the frame around. */
const room = exchangeBytes - 20_480;

export type ExchangeRequest =
  /** My hashes of all buckets; tell me what you hold of the members in those that differ, in the order of their ids, after `after`. */
  | { readonly kind: 'compare'; readonly salt: number; readonly digest: Uint8Array; readonly after: string }
  /** What you lack; and tell me all of these. */
  | {
      readonly kind: 'give';
      readonly claims: readonly (Accusation | Uint8Array)[];
      readonly wanted: readonly NodeId[];
    };

export interface Compared {
  /** By bucket, 1 where we differ. */
  readonly differs: Uint8Array;
  /** The last id that was looked at when the answer was full, to go on from; '' when nothing is left. */
  readonly next: string;
  readonly lines: readonly Line[];
}

export interface Given {
  /** How many of those wanted were answered, from the first on. */
  readonly answered: number;
  readonly claims: readonly (Accusation | Uint8Array)[];
}

const kinds = ['compare', 'give'] as const;
const statuses: readonly MemberStatus[] = ['alive', 'suspected', 'dead', 'left'];

/** No claim takes less; so many more than fit are refused unread. */
const mostItems = Math.floor(exchangeBytes / 8);

export function packCompare(salt: number, digest: Uint8Array, after: string): unknown {
  return [kinds.indexOf('compare'), salt, digest, after];
}

export function packGive(claims: readonly PackedClaim[], wanted: readonly NodeId[]): unknown {
  return [kinds.indexOf('give'), claims, wanted];
}

/** As many of the lines, which are sorted, as fit. */
export function packCompared(differs: Uint8Array, lines: readonly Line[]): unknown {
  const fitting = countFitting(lines, ({ id }) => id.length + 28, room - differs.length);
  const next = fitting < lines.length ? (lines[fitting - 1]?.id ?? '') : '';
  return [differs, next, lines.slice(0, fitting).map(packLine)];
}

export function packGiven(answered: number, claims: readonly PackedClaim[]): unknown {
  return [answered, claims];
}

/** How many items of a list fit into `left` bytes, from the first on. */
export function countFitting<Item>(
  items: readonly Item[],
  bytesOf: (item: Item) => number,
  left = room,
): number {
  let free = left;
  for (const [at, item] of items.entries()) {
    free -= bytesOf(item);
    if (free < 0) return at;
  }
  return items.length;
}

export function claimsBytes(claims: readonly PackedClaim[]): number {
  return claims.reduce((sum, claim) => sum + packedBytes(claim), 0);
}

/** `undefined` when it is not in form. */
export function requestOf(body: unknown): ExchangeRequest | undefined {
  const fields = Fields.of(body);
  const kind = fields.one(kinds);
  if (kind === 'compare') {
    const salt = fields.natural();
    const digest = fields.bytes(mostBuckets * hashBytes, hashBytes);
    const after = fields.word(nameLength, 0);
    const whole = digest.length % hashBytes === 0;
    return fields.good() && whole ? { kind, salt, digest, after } : undefined;
  }
  const claims = claimsOf(fields.list(mostItems));
  const wanted = fields.list(mostItems);
  const ids = Fields.of(wanted);
  const named = wanted.map(() => ids.word(nameLength));
  return fields.good() && ids.good() && claims ? { kind: 'give', claims, wanted: named } : undefined;
}

/** The answer to `compare` with so many buckets. */
export function comparedOf(body: unknown, buckets: number): Compared | undefined {
  const fields = Fields.of(body);
  const differs = fields.bytes(buckets);
  const next = fields.word(nameLength, 0);
  const lines = fields.list(mostItems).map(lineOf);
  if (!fields.good() || lines.includes(undefined)) return undefined;
  return { differs, next, lines: lines as readonly Line[] };
}

/** The answer to `give` that wanted so many. */
export function givenOf(body: unknown, wanted: number): Given | undefined {
  const fields = Fields.of(body);
  const answered = fields.natural(wanted);
  const claims = claimsOf(fields.list(mostItems));
  return fields.good() && claims ? { answered, claims } : undefined;
}

function claimsOf(packed: readonly unknown[]): readonly (Accusation | Uint8Array)[] | undefined {
  const claims = packed.map(unpackClaim);
  return claims.includes(undefined) ? undefined : (claims as readonly (Accusation | Uint8Array)[]);
}

/** Its own word last, where there is one. */
function packLine({ id, incarnation, status, words }: Line): unknown {
  const line = [id, incarnation.boot, incarnation.counter, statuses.indexOf(status)];
  if (!words) return line;
  const { boot, counter } = words.incarnation;
  return [...line, boot, counter, statuses.indexOf(words.status)];
}

function lineOf(packed: unknown): Line | undefined {
  const fields = Fields.of(packed);
  const id = fields.word(nameLength);
  const standing = standingIn(fields);
  const words = fields.ended() ? undefined : standingIn(fields);
  return fields.good() ? { id, ...standing, words } : undefined;
}

function standingIn(fields: Fields): Standing {
  const incarnation = { boot: fields.natural(), counter: fields.natural() };
  return { incarnation, status: fields.one(statuses) };
}
