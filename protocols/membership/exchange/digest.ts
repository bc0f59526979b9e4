/**
 * What a node holds of all members, in a few bytes each bucket: two nodes whose hashes of a bucket are the same hold the
 * same of its members. The salt is drawn anew for every exchange, so two views that happen to collide once do not stay
 * apart. Not cryptographic: who wants to be missed in it need only be silent.
 */
import { compareStandings, type Standing } from '../claims/precedence.ts';
import type { MemberStatus, NodeId } from '../model.ts';

/** What one node holds of one member, without the words themselves. */
export interface Line extends Standing {
  readonly id: NodeId;
  /** Of its newest own word; none of a member that was only ever accused. */
  readonly words: Standing | undefined;
}

/** Members a bucket, about: of a bucket that differs all members are compared one by one. */
const membersABucket = 8;
/** 16 KiB of hashes, for clusters of 16,000; in larger ones buckets are fuller. */
export const mostBuckets = 2_048;
export const hashBytes = 8;

const weight: Readonly<Record<MemberStatus, number>> = { alive: 1, suspected: 2, dead: 3, left: 4 };

/** A power of two. */
export function bucketsFor(members: number): number {
  let buckets = 1;
  while (buckets < mostBuckets && buckets * membersABucket < members) buckets *= 2;
  return buckets;
}

export function bucketOf(id: NodeId, salt: number, buckets: number): number {
  return (hashOf(id, salt) >>> 0) % buckets;
}

/** `hashBytes` a bucket. The order of the lines does not matter. */
export function digestOf(lines: Iterable<Line>, salt: number, buckets: number): Uint8Array {
  const digest = new Uint8Array(buckets * hashBytes);
  const view = new DataView(digest.buffer);
  for (const { id, incarnation, status, words } of lines) {
    const numbers = [
      incarnation.boot,
      incarnation.counter,
      weight[status],
      words?.incarnation.boot ?? 0,
      words?.incarnation.counter ?? 0,
      words ? weight[words.status] : 0,
    ];
    const place = hashOf(id, salt);
    const at = ((place >>> 0) % buckets) * hashBytes;
    const low = numbers.reduce(mixed, place);
    const high = numbers.reduce(mixed, hashOf(id, ~salt));
    view.setInt32(at, view.getInt32(at) ^ low);
    view.setInt32(at + 4, view.getInt32(at + 4) ^ high);
  }
  return digest;
}

/** By bucket, 1 where the two differ. Both are of as many buckets. */
export function differences(one: Uint8Array, other: Uint8Array): Uint8Array {
  const differs = new Uint8Array(one.length / hashBytes);
  for (let at = 0; at < one.length; at++) {
    if (one[at] !== other[at]) differs[Math.floor(at / hashBytes)] = 1;
  }
  return differs;
}

/** Who of two has what the other lacks of a member. Both may. */
export function compareLines(theirs: Line, mine: Line): { readonly want: boolean; readonly give: boolean } {
  const standing = compareStandings(theirs, mine);
  const words = compareWords(theirs.words, mine.words);
  return { want: standing > 0 || words > 0, give: standing < 0 || words < 0 };
}

function compareWords(a: Standing | undefined, b: Standing | undefined): number {
  return a && b ? compareStandings(a, b) : Number(a !== undefined) - Number(b !== undefined);
}

function hashOf(text: string, salt: number): number {
  let hash = salt | 0;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  return mixed(hash, text.length);
}

/** One round of MurmurHash3's end. */
function mixed(hash: number, value: number): number {
  let next = hash ^ value;
  next = Math.imul(next ^ (next >>> 16), 0x85eb_ca6b);
  next = Math.imul(next ^ (next >>> 13), 0xc2b2_ae35);
  return next ^ (next >>> 16);
}
