/**
 * M1: nobody who lives is declared dead where no more is wrong than a tenth of the packets lost and stalls of a second.
 * M1t: nor who was told to stop, before it is due back.
 * M2: who crashed is dead for every living node within the bound. M3: who lives and hears the others is alive for all of
 * them within the bound after healing, also when both sides had forgotten each other.
 */
import { isLiving } from '../../../../protocols/membership/model.ts';
import type { MemberChange } from '../../../../protocols/membership/views/view.ts';
import { longestAwayMs } from '../../../../protocols/membership/claims/codec.ts';
import {
  suspicionTimes,
  worstFactor,
  type MembershipTimes,
} from '../../../../protocols/membership/profile.ts';
import { ClusterChecker, type NodeSight } from '../checker.ts';
import { isEitherShutOut, isFarOff } from './shut-out.ts';

/** Rounds of gossip until a piece of news has reached everybody, a tenth of the packets lost. */
const spreadRounds = 5;
/** Stalls of a second, one after the other, of who looks and of who tells. */
const stallsMs = 2_000;

/**
 * Until a crashed node is dead everywhere, when no more is wrong than what M1 allows. `living`: so many can confirm what
 * one of them suspects. Each asks every other one within two turns of its ring, and the answer may be waited for twice as
 * long after a stall. Where enough are there to confirm it, the suspicion is over when all have asked; else it lasts as
 * long as that of one accuser. `factor`: of the waits of who asks, 1 where it is well.
 */
export function deadWithinMs(times: MembershipTimes, nodes: number, living: number, factor = 1): number {
  const { shortestMs, longestMs, confirmations } = suspicionTimes(times, nodes);
  const askedMs = (2 * (nodes - 1) - 1 + 2) * times.probeMs * factor;
  const suspectedMs = living - 1 >= confirmations ? Math.max(shortestMs, askedMs) : longestMs;
  return askedMs + suspectedMs + spreadRounds * times.gossipMs + stallsMs;
}

/** From healing to agreement: tries of lost peers, an exchange, what gossip takes; and a start of the daemon before. */
export const agreedWithinMs = 10_000;

export class NoFalseDeath extends ClusterChecker {
  readonly name = 'M1';
  /** By member and incarnation: when somebody first suspected it, and first declared it dead. */
  readonly #suspectedAt = new Map<string, number>();
  readonly #declaredAt = new Map<string, number>();
  /** Whose journal forgot its boot under a clock that is far off. */
  readonly #mute = new Set<string>();

  /** What it sends looks replayed, and by such a clock nobody speaks to it over streams either: it is heard by nobody. */
  override onCut(at: NodeSight): void {
    if (isFarOff(at)) this.#mute.add(at.node);
  }

  override onMember({ what, member }: MemberChange, at: NodeSight): void {
    if (what !== 'suspected' && what !== 'died') return;
    const { boot, counter } = member.incarnation;
    const now = this.sight.nowMs();
    const word = `${member.id} ${boot}.${counter}`;
    const { longestMs } = suspicionTimes(this.sight.times, this.sight.nodes.length);
    for (const node of this.sight.nodes)
      if (!isFarOff(node) && now - node.clockSetMs() > 2 * longestMs) this.#mute.delete(node.node);
    // Noted of everybody and by everybody: who is shut out now may be asked for later, and tell what it thought before.
    const suspectedAt = firstOf(this.#suspectedAt, word, now);
    const declaredAt = what === 'died' ? firstOf(this.#declaredAt, word, now) : now;
    if (this.#mute.has(at.node) || this.#mute.has(member.name)) return;
    if (isEitherShutOut(this.sight, at, member)) return;
    const stormEndedMs = this.sight.stormEndedMs();
    const upSinceMs = this.#upSinceMs(member.id, boot);
    if (upSinceMs === undefined) return;
    if (what === 'suspected') {
      if (stormEndedMs < now) this.exercised += 1;
      return;
    }
    // Of a life that is over: a journal that was cut counts a boot twice.
    if (suspectedAt <= upSinceMs) return;
    // What was begun in a storm may end after it, and others hear of it later still.
    if (suspectedAt <= stormEndedMs && declaredAt <= stormEndedMs + longestMs) return;
    const by = member.suspectedBy.map(({ name }) => name).join(', ');
    this.fail(`${at.node} declares ${member.name} dead, which lives; suspected by ${by || 'nobody'}`);
  }

  /** In that very boot. */
  #upSinceMs(id: string, boot: number): number | undefined {
    const owner = this.sight.nodes.find(({ identity }) => identity() === id);
    const own = owner?.membership()?.members()[0];
    return own?.status === 'alive' && own.incarnation.boot === boot ? owner?.upSinceMs() : undefined;
  }
}

export class NoDeathBeforeDue extends ClusterChecker {
  readonly name = 'M1t';
  readonly #suspectedAt = new Map<string, number>();

  /** Only who is away for longer than a suspicion lasts might be declared dead meanwhile. */
  override onBoot({ stopped }: NodeSight): void {
    const { times, nodes } = this.sight;
    const { endedMs = Infinity } = stopped() ?? {};
    const { shortestMs } = suspicionTimes(times, nodes.length);
    if (this.sight.nowMs() - endedMs >= shortestMs) this.exercised += 1;
  }

  override onMember({ what, member }: MemberChange, at: NodeSight): void {
    if (what !== 'suspected' && what !== 'died') return;
    const { boot, counter } = member.incarnation;
    const now = this.sight.nowMs();
    const suspectedAt = firstOf(this.#suspectedAt, `${member.id} ${boot}.${counter}`, now);
    const owner = this.sight.nodes.find(({ identity }) => identity() === member.id);
    const { toldMs = Infinity } = owner?.stopped() ?? {};
    // Who is back is one of those who live: of them M1 knows who cannot be heard.
    const isBack = (owner?.upSinceMs() ?? 0) > toldMs;
    const isBefore = toldMs <= suspectedAt && now < toldMs + longestAwayMs && !isBack;
    if (what === 'suspected' || !isBefore || this.sight.stormEndedMs() > toldMs) return;
    // What it said was not understood.
    if (isEitherShutOut(this.sight, at, member)) return;
    this.fail(
      `${at.node} declares ${member.name} dead ${Math.round(now - toldMs)} ms after it was told to stop`,
    );
  }
}

function firstOf(first: Map<string, number>, key: string, now: number): number {
  const known = first.get(key) ?? now;
  first.set(key, known);
  return known;
}

export class DeathsSeen extends ClusterChecker {
  readonly name = 'M2';
  readonly #judged = new Set<string>();

  override onTick(): void {
    const now = this.sight.nowMs();
    const { nodes, times } = this.sight;
    if (!nodes.some(({ downSinceMs }) => downSinceMs() !== undefined)) return;
    const longMs = deadWithinMs(times, nodes.length, 1);
    const calmMs = now - this.sight.stormEndedMs();
    const living = nodes.filter(({ upSinceMs }) => now - (upSinceMs() ?? now) >= longMs);
    // Only answers make a node well again that a storm left unwell: who is alone gets none.
    const isUnwell = living.length === 1 && this.sight.stormEndedMs() > 0;
    const withinMs = deadWithinMs(times, nodes.length, living.length, isUnwell ? worstFactor : 1);
    for (const dead of nodes) {
      if (dead.downSinceMs() === undefined) continue;
      const downMs = now - (dead.downSinceMs() ?? now);
      for (const by of living) this.#judge(dead, by, withinMs, calmMs >= withinMs ? downMs : 0);
    }
  }

  /** Whoever sees it dead before the bound is over needs no further look. */
  #judge(dead: NodeSight, by: NodeSight, withinMs: number, downMs: number): void {
    const key = `${dead.node} ${dead.downSinceMs()} ${by.node}`;
    if (this.#judged.has(key) || by.stands()) return;
    const seen = by
      .membership()
      ?.members()
      .find(({ id }) => id === dead.identity());
    // Who went away for a while may come back and be killed before anybody hears of it: they wait all that time.
    const isOverdue = downMs >= withinMs + (seen?.condition === 'away' ? longestAwayMs : 0);
    if (!isOverdue && seen?.status !== 'dead' && seen?.status !== 'left') return;
    this.#judged.add(key);
    this.exercised += 1;
    if (seen && isLiving(seen))
      this.fail(`${by.node} sees ${dead.node} ${seen.status}, ${withinMs} ms after it went down`);
  }
}

export class Reunited extends ClusterChecker {
  readonly name = 'M3';

  /** `apart`: what the views of those who are well lack at the bound. */
  judge(apart: readonly string[], boundMs: number): void {
    this.exercised += 1;
    if (apart.length > 0) this.fail(`${boundMs} ms after they were healed: ${apart.join('; ')}`);
  }
}
