/**
 * M1: nobody who lives is declared dead where no more is wrong than a tenth of the packets lost and stalls of a second.
 * M2: who crashed is dead for every living node within the bound. M3: who lives and hears the others is alive for all of
 * them within the bound after healing, also when both sides had forgotten each other.
 */
import type { MemberChange } from '../../../../protocols/membership/views/view.ts';
import { longestAwayMs } from '../../../../protocols/membership/claims/codec.ts';
import { suspicionTimes, type MembershipTimes } from '../../../../protocols/membership/profile.ts';
import { ClusterChecker, type NodeSight } from '../checker.ts';

/** What was wrong before counts until the longest suspicion that it began is over. */
const calmMs = 30_000;
/** Until a crashed node is dead everywhere: the longest suspicion, and probes until it begins, some of them lost. */
export function deadWithinMs(times: MembershipTimes, nodes: number): number {
  return suspicionTimes(times, nodes).longestMs + 16 * times.probeMs;
}

/** From healing to agreement: tries of lost peers, an exchange, what gossip takes; and a start of the daemon before. */
export const agreedWithinMs = 25_000;

export class NoFalseDeath extends ClusterChecker {
  readonly name = 'M1';

  override onMember({ what, member }: MemberChange, at: NodeSight): void {
    if (what === 'suspected' && this.#lives(member.id)) this.exercised += 1;
    if (what !== 'died' || !this.#lives(member.id, member.incarnation.boot)) return;
    if (this.sight.nowMs() - this.sight.stormEndedMs() < calmMs) return;
    const by = member.suspectedBy.map(({ name }) => name).join(', ');
    this.fail(`${at.node} declares ${member.name} dead, which lives; suspected by ${by || 'nobody'}`);
  }

  /** In that very boot, and for long enough to have been heard. */
  #lives(id: string, boot?: number): boolean {
    const node = this.sight.nodes.find(({ identity }) => identity() === id);
    const own = node?.membership()?.members()[0];
    if (!node || own?.status !== 'alive') return false;
    return boot === undefined || own.incarnation.boot === boot;
  }
}

export class DeathsSeen extends ClusterChecker {
  readonly name = 'M2';
  readonly #judged = new Set<string>();

  override onTick(): void {
    const now = this.sight.nowMs();
    const withinMs = deadWithinMs(this.sight.times, this.sight.nodes.length);
    if (now - this.sight.stormEndedMs() < withinMs) return;
    const living = this.sight.nodes.filter(({ upSinceMs }) => now - (upSinceMs() ?? now) >= withinMs);
    for (const dead of this.sight.nodes) {
      const downMs = now - (dead.downSinceMs() ?? now);
      if (downMs < withinMs + (dead.saidAway() ? longestAwayMs : 0)) continue;
      for (const by of living) this.#judge(dead, by, withinMs);
    }
  }

  #judge(dead: NodeSight, by: NodeSight, withinMs: number): void {
    if (by.stands()) return;
    const key = `${dead.node} ${dead.downSinceMs()} ${by.node}`;
    if (!this.#judged.has(key)) this.exercised += 1;
    this.#judged.add(key);
    const seen = by
      .membership()
      ?.members()
      .find(({ id }) => id === dead.identity());
    if (seen?.status === 'alive' || seen?.status === 'suspected')
      this.fail(`${by.node} sees ${dead.node} ${seen.status}, ${withinMs} ms after it went down`);
  }
}

export class Reunited extends ClusterChecker {
  readonly name = 'M3';

  /** `apart`: what the views of those who are well lack at the bound. */
  judge(apart: readonly string[]): void {
    this.exercised += 1;
    if (apart.length > 0) this.fail(`${agreedWithinMs} ms after they were healed: ${apart.join('; ')}`);
  }
}
