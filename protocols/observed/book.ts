/**
 * The records of all nodes as this one has them, and which newer ones are taken: never an older version than what is
 * there, nothing of who is no member, nothing up to the version at which somebody was buried. So a set that somebody
 * recorded and plays again changes nothing.
 */
import { limits } from '../limits.ts';
import type { NodeId } from '../membership/model.ts';
import type { MemberView } from '../membership/views/view.ts';
import { compareDigests, digestOf, type RecordDigest } from './digest.ts';
import type { HeldSet, KnownMember, Tombstone } from './model.ts';

export interface Book {
  readonly self: NodeId;
  /** This node's own among them. */
  readonly held: Readonly<Record<NodeId, HeldSet>>;
  /** All but this node. */
  readonly members: Readonly<Record<NodeId, KnownMember>>;
  readonly buried: Readonly<Record<NodeId, Tombstone>>;
}

/** An identity may be any text that somebody sends. */
export const at = <Value>(map: Readonly<Record<string, Value>>, id: string): Value | undefined =>
  Object.hasOwn(map, id) ? map[id] : undefined;

/** `own`: of this node, and it does not know it. `known`: no newer than what is here. */
export type Verdict = 'newer' | 'known' | 'own' | 'buried' | 'stranger';

export function judge(book: Book, digest: RecordDigest): Verdict {
  const { id } = digest;
  const held = at(book.held, id);
  if (id === book.self) return held && compareDigests(digest, digestOf(id, held)) <= 0 ? 'known' : 'own';
  const member = at(book.members, id);
  if (!member) return 'stranger';
  // For good, in this life: of a next one membership hears first.
  if (member.status === 'left') return 'buried';
  const tombstone = at(book.buried, id);
  if (tombstone && digest.boot <= tombstone.boot) return 'buried';
  return held && compareDigests(digest, digestOf(id, held)) <= 0 ? 'known' : 'newer';
}

export function withHeld<Value extends Book>(book: Value, id: NodeId, set: HeldSet): Value {
  const { [id]: _, ...buried } = book.buried;
  return { ...book, held: { ...book.held, [id]: set }, ...(id in book.buried ? { buried } : {}) };
}

/** Its owner says that this version stands, or somebody that a newer one is there. */
export function withWord<Value extends Book>(
  book: Value,
  id: NodeId,
  word: { readonly confirmedAt: number } | { readonly staleSince: number },
): Value {
  const held = at(book.held, id);
  if (!held) return book;
  if ('staleSince' in word && held.staleSince !== undefined) return book;
  const { staleSince: _, ...rest } = held;
  return { ...book, held: { ...book.held, [id]: { ...rest, ...word } } };
}

/** All digests that this node could answer for. */
export function digestsOf({ held }: Pick<Book, 'held'>): readonly RecordDigest[] {
  return Object.entries(held).map(([id, set]) => digestOf(id, set));
}

/** As membership has it now: who is not in the list is forgotten there, and here. */
export function withMembers<Value extends Book>(
  book: Value,
  views: readonly MemberView[],
  now: number,
): Value {
  const members: Record<NodeId, KnownMember> = {};
  for (const view of views.slice(0, limits.recordsNodes))
    if (!view.self && view.id !== book.self) members[view.id] = knownOf(view);
  let next: Value = { ...book, members };
  for (const id of Object.keys(book.held))
    if (id !== book.self && !members[id]) next = bury(next, id, 'dead', now);
  for (const id of Object.keys(members)) next = settled(next, id, now);
  return forgetting(next, now);
}

/** One member changed. */
export function withMember<Value extends Book>(book: Value, view: MemberView, now: number): Value {
  const { id } = view;
  if (view.self || id === book.self) return book;
  if (!at(book.members, id) && Object.keys(book.members).length >= limits.recordsNodes) return book;
  const members = { ...book.members, [id]: knownOf(view) };
  return settled({ ...book, members }, id, now);
}

function knownOf({ name, address, status, condition, vouchedUntil, since }: MemberView): KnownMember {
  const vouched = vouchedUntil === undefined ? {} : { vouchedUntil };
  return { name, address, status, condition, ...vouched, since };
}

/** Who left is buried at once, who is dead after a while; who lives after all is not. */
function settled<Value extends Book>(book: Value, id: NodeId, now: number): Value {
  const { status, since } = book.members[id]!;
  if (status === 'left') return bury(book, id, 'left', now);
  if (status === 'dead') return now - since >= limits.recordsDeadMs ? bury(book, id, 'dead', now) : book;
  if (at(book.buried, id)?.why !== 'dead') return book;
  const { [id]: _, ...buried } = book.buried;
  return { ...book, buried };
}

function bury<Value extends Book>(book: Value, id: NodeId, why: Tombstone['why'], now: number): Value {
  const set = at(book.held, id);
  if (!set) return book;
  const { [id]: _, ...held } = book.held;
  const { boot, sequence, name } = set;
  return { ...book, held, buried: { ...book.buried, [id]: { boot, sequence, name, why, at: now } } };
}

/** Tombstones that are old, and the oldest of too many. */
function forgetting<Value extends Book>(book: Value, now: number): Value {
  const entries = Object.entries(book.buried);
  const kept = entries
    .filter(([, { at: since }]) => now - since < limits.recordsBuriedMs)
    .sort(([, a], [, b]) => b.at - a.at)
    .slice(0, limits.recordsBuried);
  return kept.length === entries.length ? book : { ...book, buried: Object.fromEntries(kept) };
}
