/** Every member this node has heard of, and what is known of each. Holds what was decided; decides nothing but which claim is greater. */
import { compareStandings, standingOf, wordsOf } from './claims/precedence.ts';
import {
  isLiving,
  type Claim,
  type Incarnation,
  type Member,
  type MemberStatus,
  type NodeId,
  type Statement,
} from './model.ts';
import type { Random } from '../ports.ts';
import { shuffled } from './probing/ring.ts';
import { confirmed, type Suspicion } from './suspicion.ts';

/** Whether packets and streams reach it, as far as this node tried. */
export interface Planes {
  /** ms on the core's clock of the last word over each; `undefined` before the first. */
  datagramAt?: number;
  streamAt?: number;
  /** Since when no probe by datagrams found it; `undefined` while they do. */
  datagramFailingSince?: number;
  /** Since when only others' probes find it, for this node; `undefined` while its own do. */
  datagramIndirectSince?: number;
  /** Of the last direct answer, ms. */
  roundTripMs?: number;
}

export interface Entry {
  readonly id: NodeId;
  incarnation: Incarnation;
  status: MemberStatus;
  /** Its newest own word; none of a member that was only ever accused. */
  statement?: Statement;
  since: number;
  suspicion?: Suspicion;
  /** Announced absence: until then its silence means nothing. */
  awayUntil: number;
  readonly planes: Planes;
}

/**
 * `status`: it rose to another status or life · `words`: it says something new of itself · `confirmed`: one more
 * suspects it · `old`: a greater claim stands · `known`: said before.
 */
export type Verdict = 'status' | 'words' | 'confirmed' | 'old' | 'known';

/** Lots drawn for each member that is wanted, before all are looked at. */
const draws = 4;

/** How many of the dead and the left are remembered; the longest gone are forgotten first. */
const mostGone = 10_000;

export class Members {
  readonly #entries = new Map<NodeId, Entry>();
  /** The same, for drawing by lot. */
  #list: Entry[] = [];
  /** By the end of its bytes, which is its signature's: who said each word that is held. */
  readonly #byWords = new Map<number, Entry>();
  #living = 0;

  /** Alive or suspected. */
  get living(): number {
    return this.#living;
  }

  get(id: NodeId): Entry | undefined {
    return this.#entries.get(id);
  }

  /** Whether these very words of a member are what is held of it: then they need no judging. */
  holds(words: Uint8Array): boolean {
    const held = this.#byWords.get(endOf(words))?.statement;
    return held !== undefined && sameBytes(held.bytes, words);
  }

  /** Up to `count` members that `accepts` takes, drawn by lot: none is missed where there are few. */
  some(random: Random, count: number, accepts: (entry: Entry) => boolean): readonly Entry[] {
    const list = this.#list;
    const chosen = new Set<Entry>();
    for (let draw = 0; draw < draws * count && chosen.size < count; draw++) {
      const entry = list[Math.floor(random.next() * list.length)];
      if (entry && accepts(entry)) chosen.add(entry);
    }
    if (chosen.size === count) return [...chosen];
    return shuffled(random, list.filter(accepts)).slice(0, count);
  }

  all(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** Takes the claim in, if it is greater than what stands. `suspicion` is what a new suspicion begins with. */
  hear(claim: Claim, now: number, suspicion: () => Suspicion): Verdict {
    const id = claim.kind === 'stated' ? claim.statement.id : claim.id;
    const standing = standingOf(claim);
    const entry = this.#entries.get(id);
    if (!entry) {
      this.#add(id, claim, now, suspicion);
      return 'status';
    }
    const words = claim.kind === 'stated' && this.#learn(entry, claim.statement, now);
    const order = compareStandings(standing, entry);
    if (order > 0) {
      const before = entry.status;
      this.#stand(entry, standing.incarnation, standing.status, now, suspicion);
      return before === entry.status && claim.kind === 'stated' ? 'words' : 'status';
    }
    if (order === 0 && claim.kind === 'suspected') return this.#confirm(entry, claim.from, now);
    if (words) return 'words';
    return order === 0 ? 'known' : 'old';
  }

  /** Forgets the longest gone beyond the bound. */
  prune(): void {
    if (this.#entries.size - this.#living <= mostGone) return;
    const gone = [...this.#entries.values()].filter((entry) => !isLiving(entry));
    for (const { id } of gone.sort((a, b) => b.since - a.since).slice(mostGone)) this.#forget(id);
    this.#list = [...this.#entries.values()];
  }

  #forget(id: NodeId): void {
    const { statement } = this.#entries.get(id)!;
    this.#entries.delete(id);
    if (statement) this.#byWords.delete(endOf(statement.bytes));
  }

  #add(id: NodeId, claim: Claim, now: number, suspicion: () => Suspicion): void {
    const { incarnation, status } = standingOf(claim);
    const planes: Planes = {};
    const entry: Entry = { id, incarnation, status, since: now, awayUntil: 0, planes };
    this.#entries.set(id, entry);
    this.#list.push(entry);
    if (isLiving(entry)) this.#living += 1;
    if (status === 'suspected') entry.suspicion = suspicion();
    if (claim.kind === 'stated') this.#learn(entry, claim.statement, now);
  }

  #learn(entry: Entry, statement: Statement, now: number): boolean {
    const known = entry.statement;
    if (known && compareStandings(wordsOf(statement), wordsOf(known)) <= 0) return false;
    if (known) this.#byWords.delete(endOf(known.bytes));
    this.#byWords.set(endOf(statement.bytes), entry);
    entry.statement = statement;
    entry.awayUntil = now + (statement.profile.awayMs ?? 0);
    return true;
  }

  #stand(
    entry: Entry,
    incarnation: Incarnation,
    status: MemberStatus,
    now: number,
    suspicion: () => Suspicion,
  ): void {
    this.#living -= Number(isLiving(entry));
    if (entry.status !== status || entry.incarnation.boot !== incarnation.boot) entry.since = now;
    entry.incarnation = incarnation;
    entry.status = status;
    if (status === 'suspected') entry.suspicion = suspicion();
    else delete entry.suspicion;
    this.#living += Number(isLiving(entry));
  }

  #confirm(entry: Entry, from: NodeId, now: number): Verdict {
    const { suspicion } = entry;
    if (!suspicion) return 'known';
    entry.suspicion = confirmed(suspicion, from, now);
    return entry.suspicion === suspicion ? 'known' : 'confirmed';
  }
}

function endOf(bytes: Uint8Array): number {
  const end = bytes.length;
  return (bytes[end - 1]! << 24) | (bytes[end - 2]! << 16) | (bytes[end - 3]! << 8) | bytes[end - 4]!;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** What others may see of it. */
export function memberOf({ id, incarnation, status, statement, since, suspicion }: Entry): Member {
  return {
    id,
    incarnation,
    status,
    since,
    suspectedBy: suspicion?.from ?? [],
    ...(statement === undefined ? {} : { profile: statement.profile }),
  };
}
