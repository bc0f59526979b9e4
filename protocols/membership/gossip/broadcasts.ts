/**
 * News waiting to be passed on. Each piece is sent a limited number of times, those sent least first, in what room
 * packets have; a newer piece about the same subject replaces the older one. What a member says to defend itself or to
 * take leave goes before everything; the other classes have a share of every packet that none can take from them.
 */
import { packedBytes, type PackedClaim } from '../claims/codec.ts';

/** `urgent`: refutations and farewells · `membership`: other claims · `digest`: what nodes know of each other's records. */
export type BroadcastClass = 'urgent' | 'membership' | 'digest';

interface Broadcast {
  readonly key: string;
  readonly packed: PackedClaim;
  readonly bytes: number;
  sends: number;
  /** The packet that it was chosen for last. */
  round: number;
  /** In its row. */
  previous: Broadcast | undefined;
  next: Broadcast | undefined;
}

interface Row {
  first: Broadcast | undefined;
  last: Broadcast | undefined;
}

interface Chosen {
  readonly piece: Broadcast;
  readonly queue: LeastSentFirst;
}

/** By class, the share of a packet's room that it gets when all have something to say. */
const shares: readonly (readonly [BroadcastClass, number])[] = [
  ['urgent', 1],
  ['membership', 0.7],
  ['digest', 1],
];

/** One piece a member and class: a cluster of 5,000 that hears of itself all at once. Urgent ones come on top: few are. */
const mostPieces = 10_000;

export class Broadcasts {
  readonly #classes: Readonly<Record<BroadcastClass, LeastSentFirst>> = {
    urgent: new LeastSentFirst(),
    membership: new LeastSentFirst(),
    digest: new LeastSentFirst(),
  };
  #dropped = 0;
  #round = 0;

  get size(): number {
    const { urgent, membership, digest } = this.#classes;
    return urgent.size + membership.size + digest.size;
  }

  /** Pieces that are worth packets of their own. Digests are not, once others have them: they ride on probes and answers. */
  get pressing(): number {
    const { urgent, membership } = this.#classes;
    return urgent.size + membership.size;
  }

  /** Pieces that found no room in the queue since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** `key` names the subject: what was said of it before is said no more, in whichever class. */
  add(kind: BroadcastClass, key: string, packed: PackedClaim): void {
    const { urgent, membership, digest } = this.#classes;
    for (const queue of [urgent, membership, digest]) queue.delete(key);
    // This node's own word finds room however much others have to say, and takes none from them.
    if (kind !== 'urgent' && membership.size + digest.size >= mostPieces) {
      this.#dropped += 1;
      return;
    }
    const place = { previous: undefined, next: undefined };
    this.#classes[kind].add({ key, packed, bytes: packedBytes(packed), sends: 0, round: 0, ...place });
  }

  /** Pieces for one packet with `room` bytes; counts them as sent, and forgets what was sent `limit` times. */
  take(room: number, limit: number): PackedClaim[] {
    if (this.size === 0) return [];
    const chosen: Chosen[] = [];
    const round = ++this.#round;
    let left = room;
    // Twice: what one class leaves of its share the others may have.
    for (const generous of [false, true]) {
      for (const [kind, share] of shares) {
        const allowed = generous ? left : Math.min(left, Math.floor(room * share));
        left -= this.#classes[kind].choose(allowed, chosen, round);
      }
    }
    for (const { piece, queue } of chosen) queue.sent(piece, limit);
    return chosen.map(({ piece }) => piece.packed);
  }
}

/** Pieces in rows by how often they were sent; each row in the order in which they came to it. */
class LeastSentFirst {
  readonly #rows: Row[] = [];
  readonly #byKey = new Map<string, Broadcast>();

  get size(): number {
    return this.#byKey.size;
  }

  add(piece: Broadcast): void {
    this.#byKey.set(piece.key, piece);
    this.#append(piece);
  }

  delete(key: string): void {
    const piece = this.#byKey.get(key);
    if (!piece) return;
    this.#byKey.delete(key);
    this.#unlink(piece);
  }

  /** Adds what fits into `room` and was not chosen before; answers how many bytes that takes. */
  choose(room: number, chosen: Chosen[], round: number): number {
    let used = 0;
    let unfit = 0;
    if (this.#byKey.size === 0) return used;
    for (const row of this.#rows) {
      for (let piece = row.first; piece; piece = piece.next) {
        if (room - used < smallestPiece || unfit > mostUnfit) return used;
        if (piece.round === round) continue;
        if (used + piece.bytes > room) {
          unfit += 1;
          continue;
        }
        used += piece.bytes;
        piece.round = round;
        chosen.push({ piece, queue: this });
      }
    }
    return used;
  }

  sent(piece: Broadcast, limit: number): void {
    this.#unlink(piece);
    piece.sends += 1;
    if (piece.sends >= limit) this.#byKey.delete(piece.key);
    else this.#append(piece);
  }

  #append(piece: Broadcast): void {
    while (this.#rows.length <= piece.sends) this.#rows.push({ first: undefined, last: undefined });
    const row = this.#rows[piece.sends]!;
    piece.previous = row.last;
    piece.next = undefined;
    if (row.last) row.last.next = piece;
    else row.first = piece;
    row.last = piece;
  }

  #unlink(piece: Broadcast): void {
    const row = this.#rows[piece.sends]!;
    const { previous, next } = piece;
    if (previous) previous.next = next;
    else row.first = next;
    if (next) next.previous = previous;
    else row.last = previous;
  }
}

/** After so many pieces that do not fit any more the packet counts as full: a long queue is not searched for each. */
const mostUnfit = 32;

/** No claim is shorter. */
const smallestPiece = 24;
