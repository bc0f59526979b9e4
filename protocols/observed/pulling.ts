/**
 * Whose newer records are wanted, and who is asked for them: first who told of them, then their owner. One pull of a
 * node at a time, few at once, few of one peer; who does not answer, or has not what it told of, is not asked again soon.
 */
import { drive, schedule, type Decision, type Effect } from '../effects.ts';
import { limits } from '../limits.ts';
import { isLiving, type NodeId } from '../membership/model.ts';
import type { Peer } from '../wire/calls.ts';
import { at, judge, withWord, type Book } from './book.ts';
import { compareDigests, compareVersions, type RecordDigest, type SetVersion } from './digest.ts';
import type { HeldSet } from './model.ts';
import { emptyContent, placeOf, withLog, type LogPlace, type SetContent } from './record-set.ts';
import { packRequest, type PullPiece } from './wire.ts';

export interface Wanted {
  readonly digest: RecordDigest;
  /** Who told of it, the newest first. */
  readonly sources: readonly Peer[];
  readonly tries: number;
  /** Its time to be tried again has not come. */
  readonly waiting?: true;
  /** What was pulled as a difference was not what was signed: all of it, next time. */
  readonly whole?: true;
}

/** A pull under way, and what has come of it so far. */
export interface Pull {
  readonly id: NodeId;
  readonly from: Peer;
  /** What it began from; sequence 0 is nothing. */
  readonly base: SetVersion;
  readonly content: SetContent;
  readonly after?: LogPlace;
  readonly pieces: number;
  /** As the first piece said. */
  readonly begun?: Pick<PullPiece, 'boot' | 'whole'>;
  /** All has come: the signature is being judged. */
  readonly last?: PullPiece;
}

export interface Pulling extends Book {
  readonly wanted: Readonly<Record<NodeId, Wanted>>;
  /** By the id of their call. */
  readonly pulls: Readonly<Record<string, Pull>>;
  readonly calls: number;
  readonly counts: Counts;
}

/** Since this actor began. */
export interface Counts {
  /** Digests heard that told of something newer. */
  readonly told: number;
  /** Sets taken. */
  readonly taken: number;
  /** Not signed by whose records they say they are, changed under way, or not in form. */
  readonly forged: number;
  /** Signed, and no newer than what was here: recorded and played again, or a digest that promised too much. */
  readonly old: number;
  /** Pulls of what the peer does not have. */
  readonly none: number;
  /** Pulls without an answer, with a refusal, or of a difference that led to something else than was signed. */
  readonly failed: number;
  /** Digests of nodes that are no members, or buried. */
  readonly strangers: number;
  /** This node's own sets that it knew nothing of, and has outdone. */
  readonly outdone: number;
}

export const noCounts: Counts = {
  told: 0,
  taken: 0,
  forged: 0,
  old: 0,
  none: 0,
  failed: 0,
  strangers: 0,
  outdone: 0,
};

export function counted<Value extends Pulling>(value: Value, what: keyof Counts): Value {
  return { ...value, counts: { ...value.counts, [what]: value.counts[what] + 1 } };
}

/** A digest was heard from a peer: it is wanted when it is newer than what is here and than what is wanted. */
export function heard<Value extends Pulling>(
  value: Value,
  digest: RecordDigest,
  from: Peer,
  now: number,
): Decision<Value> {
  const { id } = digest;
  const verdict = judge(value, digest);
  if (verdict === 'stranger' || verdict === 'buried') return [counted(value, 'strangers'), []];
  if (verdict === 'known') {
    const held = at(value.held, id);
    const stands = from.id === id && held !== undefined && compareVersions(held, digest) === 0;
    return [stands ? withWord(value, id, { confirmedAt: now }) : value, []];
  }
  const before = at(value.wanted, id);
  const order = before ? compareDigests(digest, before.digest) : 1;
  if (order < 0) return [value, []];
  const others = (before?.sources ?? []).filter((peer) => peer.id !== from.id);
  // What is newer is at the newest source alone; who told of the older one may have it soon.
  const wanted: Wanted = {
    tries: 0,
    ...before,
    digest,
    sources: [from, ...others].slice(0, limits.recordsSources),
  };
  const next = verdict === 'newer' && order > 0 ? withWord(value, id, { staleSince: now }) : value;
  const told = order > 0 ? counted(next, 'told') : next;
  return started({ ...told, wanted: { ...told.wanted, [id]: wanted } });
}

/** Begins what may begin now. */
export function started<Value extends Pulling>(value: Value): Decision<Value> {
  let next = value;
  const effects: Effect[] = [];
  const busy = Object.values(value.pulls);
  const active = new Set(busy.map(({ id }) => id));
  const load = new Map<NodeId, number>();
  for (const { from } of busy) load.set(from.id, (load.get(from.id) ?? 0) + 1);
  for (const [id, wanted] of Object.entries(value.wanted)) {
    if (Object.keys(next.pulls).length >= limits.recordsPulls) break;
    if (wanted.waiting || active.has(id)) continue;
    const from = sourceOf(next, id, wanted, load);
    if (from === 'none') next = { ...next, wanted: without(next.wanted, id) };
    if (typeof from === 'string') continue;
    load.set(from.id, (load.get(from.id) ?? 0) + 1);
    const held = wanted.whole ? undefined : at(next.held, id);
    const differs = held !== undefined && held.boot === wanted.digest.boot && id !== next.self;
    const pull: Pull = {
      id,
      from,
      base: differs ? { boot: held.boot, sequence: held.sequence } : { boot: 0, sequence: 0 },
      content: differs ? held : emptyContent,
      pieces: 0,
    };
    const [begun, asked] = asking(next, pull);
    next = begun;
    effects.push(...asked);
  }
  return [next, effects];
}

/** Takes turns among who told of it and the owner. `busy`: all that could be asked are asked for others. */
function sourceOf(
  value: Pulling,
  id: NodeId,
  { sources, tries }: Wanted,
  load: ReadonlyMap<NodeId, number>,
): Peer | 'busy' | 'none' {
  const owner = at(value.members, id);
  const candidates = [
    ...sources,
    ...(owner && isLiving(owner) && !sources.some((peer) => peer.id === id)
      ? [{ id, address: owner.address }]
      : []),
  ];
  if (candidates.length === 0) return 'none';
  const turn = tries % candidates.length;
  const inTurn = [...candidates.slice(turn), ...candidates.slice(0, turn)];
  return inTurn.find((peer) => (load.get(peer.id) ?? 0) < limits.recordsPullsPerPeer) ?? 'busy';
}

/** The next piece, or the first. */
function asking<Value extends Pulling>(value: Value, pull: Pull): Decision<Value> {
  const calls = value.calls + 1;
  const name = `pull:${calls}`;
  const { id, base, after, from } = pull;
  const body = packRequest({ id, ...base, ...(after ? { after } : {}) });
  const args = { to: from, type: 'records.pull', body, timeoutMs: limits.recordsPullMs } as const;
  const effect = drive(
    name,
    { port: 'peers', op: 'ask', args },
    { done: 'records.pulled', failed: 'records.unpulled' },
    limits.recordsPullMs,
  );
  return [{ ...value, calls, pulls: { ...value.pulls, [name]: pull } }, [effect]];
}

/** A piece came: the next one is asked for, or, when it was the last, the signature is judged. */
export function pieced<Value extends Pulling>(value: Value, name: string, piece: PullPiece): Decision<Value> {
  const pull = value.pulls[name];
  if (!pull) return [value, []];
  const rest = { ...value, pulls: without(value.pulls, name) };
  const { begun = { boot: piece.boot, whole: piece.whole } } = pull;
  const before = pull.begun || !piece.whole ? pull.content : emptyContent;
  // A set of another life of its owner may have taken the place of the one that was being read.
  const content = begun.boot === piece.boot ? withLog(before, piece.lines) : undefined;
  const pieces = pull.pieces + 1;
  if (!content || pieces > limits.recordsPieces) return missed(rest, pull, 'failed');
  const read: Pull = { ...pull, begun, content, pieces };
  if (!piece.more) return judging(rest, { ...read, last: piece });
  const after = placeOf(piece.lines);
  return asking(rest, { ...read, ...(after ? { after } : {}) });
}

function judging<Value extends Pulling>(value: Value, pull: Pull): Decision<Value> {
  const calls = value.calls + 1;
  const name = `judge:${calls}`;
  const { head } = pull.last!;
  const call = { port: 'seals', op: 'open', args: { head, records: pull.content.records } } as const;
  const answer = { done: 'records.judged', failed: 'records.unjudged' };
  return [
    { ...value, calls, pulls: { ...value.pulls, [name]: pull } },
    [drive(name, call, answer, limits.runtimeCallMs)],
  ];
}

/**
 * It brought nothing: another source is asked, the owner at once, and then after longer and longer, for as long as a
 * living owner does not answer. What nobody has was never there, or is told of again.
 */
export function missed<Value extends Pulling>(
  value: Value,
  { id, from }: Pull,
  why: 'failed' | 'none' | 'old' | 'forged' | 'differs',
): Decision<Value> {
  const wanted = at(value.wanted, id);
  const noted = counted(value, why === 'differs' ? 'failed' : why);
  if (!wanted) return started(noted);
  const tries = wanted.tries + 1;
  // The owner itself has nothing so new: nobody has.
  const refuted = from.id === id && (why === 'none' || why === 'old');
  // Who lives and does not answer may be out of reach for a while: by its clock, say. Others may have as little.
  const owner = at(value.members, id);
  const isAway = why === 'failed' && owner !== undefined && isLiving(owner);
  if (refuted || (tries >= limits.recordsPullTries && !isAway)) {
    const settled = refuted ? unstale(noted, id) : noted;
    return started({ ...settled, wanted: without(noted.wanted, id) });
  }
  const again: Wanted = {
    ...wanted,
    tries,
    ...(why === 'differs' ? { whole: true as const } : {}),
  };
  if (tries === 1) return started({ ...noted, wanted: { ...noted.wanted, [id]: again } });
  const delayMs = Math.min(limits.recordsBackoffMinMs * 2 ** (tries - 2), limits.recordsBackoffMaxMs);
  const [next, effects] = started({
    ...noted,
    wanted: { ...noted.wanted, [id]: { ...again, waiting: true as const } },
  });
  return [
    next,
    [...effects, schedule(`pull:${id}`, delayMs, { type: 'pull.due', node: id }, limits.backoffJitter)],
  ];
}

/** What was told of as newer was not: what is here is the newest after all. */
function unstale<Value extends Pulling>(value: Value, id: NodeId): Value {
  const held = at(value.held, id);
  if (held?.staleSince === undefined) return value;
  const { staleSince: _, ...rest } = held;
  return { ...value, held: { ...value.held, [id]: rest } };
}

export function retried<Value extends Pulling>(value: Value, id: NodeId): Decision<Value> {
  const wanted = at(value.wanted, id);
  if (!wanted) return [value, []];
  const { waiting: _, ...ready } = wanted;
  return started({ ...value, wanted: { ...value.wanted, [id]: ready } });
}

/** Not wanted any more, unless something newer than what came was told of. */
export function satisfied<Value extends Pulling>(value: Value, id: NodeId, came: HeldSet): Value {
  const wanted = at(value.wanted, id);
  if (!wanted) return value;
  if (compareDigests(wanted.digest, { ...came, hash: came.hash.slice(0, 16) }) <= 0)
    return { ...value, wanted: without(value.wanted, id) };
  const { whole: _, ...rest } = wanted;
  return { ...value, wanted: { ...value.wanted, [id]: { ...rest, tries: 0 } } };
}

export function without<Value>(
  map: Readonly<Record<string, Value>>,
  key: string,
): Readonly<Record<string, Value>> {
  const { [key]: _, ...rest } = map;
  return rest;
}
