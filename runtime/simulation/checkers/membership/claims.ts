/**
 * What each node hears of each member only grows. M4: incarnations never fall, and none is above what the member itself
 * has said. M5: who left has left for that boot. M6: dead at one incarnation is never alive at the same or a lower one.
 */
import { isLiving } from '../../../../protocols/membership/model.ts';
import { compareIncarnations } from '../../../../protocols/membership/claims/precedence.ts';
import type { MemberChange, MemberView } from '../../../../protocols/membership/views/view.ts';
import { ClusterChecker, type NodeSight } from '../checker.ts';

const text = ({ status, incarnation: { boot, counter } }: MemberView): string =>
  `${status} at ${boot}.${counter}`;

/** The newest view of each member at each node, of the present life of that node. */
abstract class Claims extends ClusterChecker {
  readonly #newest = new Map<string, MemberView>();

  override onBoot({ node }: NodeSight): void {
    for (const key of this.#newest.keys()) if (key.startsWith(`${node} `)) this.#newest.delete(key);
  }

  override onMember({ member }: MemberChange, at: NodeSight): void {
    const key = `${at.node} ${member.id}`;
    const before = this.#newest.get(key);
    this.#newest.set(key, member);
    this.judge(member, before, at);
  }

  protected abstract judge(now: MemberView, before: MemberView | undefined, at: NodeSight): void;

  protected complain(now: MemberView, before: MemberView | undefined, at: NodeSight): never {
    return this.fail(
      `${at.node} saw ${now.name} ${before ? text(before) : 'not at all'}, and then ${text(now)}`,
    );
  }
}

export class OnlyOwnerRaises extends Claims {
  readonly name = 'M4';

  protected judge(now: MemberView, before: MemberView | undefined, at: NodeSight): void {
    if (before && compareIncarnations(now.incarnation, before.incarnation) < 0)
      this.complain(now, before, at);
    if (before && compareIncarnations(now.incarnation, before.incarnation) > 0) this.exercised += 1;
    const said = this.sight.nodes.find((node) => node.said(now.id))?.said(now.id);
    if (said && compareIncarnations(now.incarnation, said) > 0)
      this.fail(`${at.node} sees ${now.name} ${text(now)}, and it has said ${said.boot}.${said.counter}`);
  }
}

export class LeftForGood extends Claims {
  readonly name = 'M5';

  protected judge(now: MemberView, before: MemberView | undefined, at: NodeSight): void {
    if (now.status === 'left') this.exercised += 1;
    if (before?.status !== 'left' || now.status === 'left') return;
    if (now.incarnation.boot <= before.incarnation.boot) this.complain(now, before, at);
  }
}

export class DeadStaysDead extends Claims {
  readonly name = 'M6';

  protected judge(now: MemberView, before: MemberView | undefined, at: NodeSight): void {
    if (before?.status !== 'dead') return;
    this.exercised += 1;
    if (isLiving(now) && compareIncarnations(now.incarnation, before.incarnation) <= 0)
      this.complain(now, before, at);
  }
}
