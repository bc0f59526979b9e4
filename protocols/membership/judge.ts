/**
 * What a claim changes: in what this node holds of a member, in what it passes on, and — where it is about this node
 * itself — in what it says of itself. The one way in for claims from packets, exchanges, probes and deadlines.
 */
import { openStatement, packAccusation, packClaim, type PackedClaim } from './claims/codec.ts';
import { compareIncarnations, compareStandings } from './claims/precedence.ts';
import type { Desk } from './desk.ts';
import { memberOf, type Entry, type Verdict } from './members.ts';
import { isLiving, type Accusation, type Claim, type Incarnation, type NodeId } from './model.ts';
import { suspicionTimes } from './profile.ts';
import { deadlineOf, shortened } from './suspicion.ts';

/** Before the id: in the key of a suspicion's deadline, and of when the suspect is asked itself. */
export const suspicionPrefix = 'suspicion ';
export const doubtPrefix = 'doubt ';

/** Refutations of one life that a node may have missed when it hears of an accusation of the next. */
const mostAhead = 1_000;
/** As far as claims count. */
const lastCounter = 2 ** 32 - 1;

/** As it came: a statement may still be sealed. Answers what it changed; `undefined` when its seal is not good. */
export function hear(desk: Desk, heard: Accusation | Uint8Array): Verdict | undefined {
  if (!(heard instanceof Uint8Array))
    return heard.kind === 'dead' ? judgeDeath(desk, heard) : judge(desk, heard);
  // Most of what gossip brings.
  if (desk.members.holds(heard)) return 'known';
  const statement = openStatement(heard, desk.notary);
  if (!statement) {
    desk.counts.refused += 1;
    return undefined;
  }
  return judge(desk, { kind: 'stated', statement });
}

/**
 * Others' word that a member is dead which this node knows and did not suspect, or only just, is a suspicion: they may be
 * the ones that heard nobody for a while. The member has the shortest one's time to refute it. In the middle of that a
 * suspect is asked itself, so who was suspected longer had the chance to answer.
 */
function judgeDeath(desk: Desk, accusation: Accusation): Verdict | undefined {
  const entry = desk.members.get(accusation.id);
  if (!entry || !isLiving(entry) || !wasHeard(entry)) return judge(desk, accusation);
  const { suspicion: before } = entry;
  if (before && desk.now - before.startedAt > before.shortestMs / 2) return judge(desk, accusation);
  const heard = judge(desk, { ...accusation, kind: 'suspected' });
  const { suspicion, incarnation } = entry;
  if (suspicion && compareIncarnations(incarnation, accusation.incarnation) === 0) {
    entry.suspicion = shortened(suspicion);
    follow(desk, entry);
  }
  return heard;
}

const wasHeard = ({ planes }: Entry): boolean =>
  planes.datagramAt !== undefined || planes.streamAt !== undefined;

export function judge(desk: Desk, claim: Claim): Verdict | undefined {
  const id = claim.kind === 'stated' ? claim.statement.id : claim.id;
  const own = id === desk.self.id;
  const known = own ? desk.self.statement : desk.members.get(id)?.statement;
  if (claim.kind !== 'stated' && !isPlausible(known?.incarnation, claim.incarnation)) {
    desk.counts.refused += 1;
    return undefined;
  }
  if (own) return judgeOwn(desk, claim);
  const accuser = claim.kind === 'stated' ? desk.self.id : claim.from;
  const verdict = desk.members.hear(claim, desk.now, () => ({
    startedAt: desk.now,
    ...suspicionTimes(desk.times, desk.size),
    from: [accuser],
    heardAt: [desk.now],
  }));
  if (verdict === 'old' || verdict === 'known') return verdict;
  const entry = desk.members.get(id)!;
  follow(desk, entry);
  if (verdict !== 'words' || claim.kind === 'stated') desk.news.add('membership', id, packClaim(claim));
  if (verdict !== 'confirmed') desk.effect({ kind: 'changed', member: memberOf(entry) });
  return verdict;
}

/**
 * Nobody signs an accusation, so nobody is accused of a life that it never spoke of here, nor of words far beyond: what
 * is made up would hold no member for dead that can still answer, fill no memory, and use up nobody's counter.
 */
function isPlausible(known: Incarnation | undefined, { boot, counter }: Incarnation): boolean {
  if (!known || boot > known.boot) return false;
  return boot < known.boot || counter <= known.counter + mostAhead;
}

/** The deadline of a suspicion, while there is one; half-way, its refutation may have missed this node alone. */
function follow(desk: Desk, { id, suspicion }: Entry): void {
  const { deadlines } = desk;
  if (!suspicion) {
    deadlines.delete(suspicionPrefix + id);
    deadlines.delete(doubtPrefix + id);
    return;
  }
  deadlines.set(suspicionPrefix + id, deadlineOf(suspicion));
  if (deadlines.at(doubtPrefix + id) === undefined)
    deadlines.set(doubtPrefix + id, suspicion.startedAt + suspicion.shortestMs / 2);
}

function judgeOwn(desk: Desk, claim: Claim): Verdict {
  const { incarnation, left } = desk.self.statement;
  if (claim.kind === 'stated') {
    // Nobody else can sign it: another process has our key, or our journal forgot what we said.
    if (compareIncarnations(claim.statement.incarnation, incarnation) > 0)
      desk.effect({ kind: 'doubled', boot: claim.statement.incarnation.boot });
    return 'known';
  }
  const own = { incarnation, status: left ? 'left' : 'alive' } as const;
  if (compareStandings({ incarnation: claim.incarnation, status: claim.kind }, own) <= 0) return 'old';
  // No number is left that would outdo it: another life begins at 0.
  if (claim.incarnation.counter >= lastCounter) {
    desk.effect({ kind: 'doubled', boot: incarnation.boot });
    return 'old';
  }
  const statement = desk.self.refute(claim.incarnation);
  desk.counts.refutations += 1;
  desk.health.note(+1);
  desk.news.add('urgent', desk.self.id, statement.bytes);
  desk.effect({ kind: 'refuted', from: claim.from });
  return 'status';
}

/** This node's own suspicion, or its verdict when nobody refuted. */
export function accuse(desk: Desk, { id, incarnation }: Entry, kind: Accusation['kind']): void {
  if (kind === 'suspected') desk.counts.suspicions += 1;
  judge(desk, { kind, id, incarnation, from: desk.self.id });
}

/** What stands against a member, for its own ears: it can refute that at once. Nothing of those in good standing. */
export function chargesAgainst(
  desk: Desk,
  { id, incarnation, status, suspicion }: Entry,
): readonly PackedClaim[] {
  if (status !== 'suspected' && status !== 'dead') return [];
  const from = suspicion?.from[0] ?? desk.self.id;
  return [packAccusation({ kind: status, id, incarnation, from })];
}

/** All that this node holds of one member, or of itself: its own word, and what stands against it. */
export function claimsAbout(desk: Desk, id: NodeId): PackedClaim[] {
  if (id === desk.self.id) return [desk.self.statement.bytes];
  const entry = desk.members.get(id);
  if (!entry) return [];
  const { incarnation, status, statement, suspicion } = entry;
  const claims: PackedClaim[] = statement ? [statement.bytes] : [];
  if (status === 'suspected' || status === 'dead') {
    for (const from of suspicion?.from ?? [desk.self.id])
      claims.push(packAccusation({ kind: status, id, incarnation, from }));
  }
  return claims;
}
