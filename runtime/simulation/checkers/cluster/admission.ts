/**
 * Who is in the cluster. K1: nobody is let in with a bad token, and who has lost its name reads and gets nothing any more.
 * K2: a name is not another's while the first who has it lives. K3: who joins again, because the answer was lost, is let in,
 * and takes no second use of its token.
 */
import { limits } from '../../../../protocols/limits.ts';
import type { MemberRecord } from '../../../../protocols/cluster/rows.ts';
import type { JoinTokenRecord } from '../../../../protocols/cluster/token.ts';
import type { Reason } from '../../../../protocols/errors.ts';
import type { MemberChange } from '../../../../protocols/membership/views/view.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import type { StoreEvent } from '../../../../protocols/state/model.ts';
import { ClusterChecker, type NodeSight } from '../checker.ts';

/** Puts of rows of members: the name, the row before, the row. */
abstract class Rows extends ClusterChecker {
  readonly #rows = new Map<string, MemberRecord>();

  override onRevision(events: readonly StoreEvent[]): void {
    for (const event of events) {
      const key = event.type === 'put' ? event.kv.key : event.key;
      if (!key.startsWith(keys.members)) continue;
      const before = this.#rows.get(key);
      if (event.type !== 'put') {
        this.#rows.delete(key);
        continue;
      }
      const row = event.kv.value as MemberRecord;
      this.#rows.set(key, row);
      if (row.role === 'agent') this.judge(row, before);
    }
  }

  protected abstract judge(row: MemberRecord, before: MemberRecord | undefined): void;
}

export class OnlyInvited extends Rows {
  readonly name = 'K1';
  /** Of the token that lies on the machine of that name; nothing of a good one. */
  badTokenOf: (name: string) => string | undefined = () => undefined;

  protected judge(row: MemberRecord, before: MemberRecord | undefined): void {
    // Renewed, not joined.
    if (before?.id === row.id && before.joinedAt === row.joinedAt) return;
    const bad = this.badTokenOf(row.name);
    if (bad !== undefined) this.fail(`${row.name} (${row.id}) was let in with a token that is ${bad}`);
  }

  /** A start was refused for its token. */
  refused(): void {
    this.exercised += 1;
  }

  /** Who has lost the name to another came with what it had. */
  haunted(name: string, had: readonly string[]): void {
    this.exercised += 1;
    if (had.length > 0) this.fail(`who was ${name} before got ${had.join(' and ')}`);
  }
}

/** For the verdict to reach the server, and the write to pass. */
const graceMs = 10_000;

export class OneByName extends Rows {
  readonly name = 'K2';
  /** By identity: when the server last held it for gone. */
  readonly #goneMs = new Map<string, number>();

  override onMember({ member }: MemberChange, at: NodeSight): void {
    if (at.node !== 'n1') return;
    const isGone = member.status === 'dead' || member.status === 'left';
    if (isGone) this.#goneMs.set(member.id, Infinity);
    else if (this.#goneMs.get(member.id) === Infinity) this.#goneMs.set(member.id, this.sight.nowMs());
  }

  protected judge(row: MemberRecord, before: MemberRecord | undefined): void {
    if (!before || before.id === row.id) return;
    this.exercised += 1;
    // By the server's clock, which this row says, or shortly before it.
    if (before.notAfter <= row.joinedAt + graceMs || this.#isUnheard(before, row.joinedAt)) return;
    const goneMs = this.#goneMs.get(before.id) ?? -Infinity;
    if (this.sight.nowMs() - goneMs > graceMs)
      this.fail(`${row.name} was ${before.id}, which lives, and is ${row.id} now`);
  }

  /** It joined, and the server has not heard of it since. */
  #isUnheard({ id, joinedAt }: MemberRecord, now: number): boolean {
    const members = this.sight.nodes[0]!.membership()?.members() ?? [];
    return !members.some((member) => member.id === id) && joinedAt + limits.unheardMs <= now;
  }

  /** Somebody came for a name that another has, and was sent away. */
  refused(): void {
    this.exercised += 1;
  }
}

export class AnswersLost extends Rows {
  readonly name = 'K3';

  protected judge(row: MemberRecord, before: MemberRecord | undefined): void {
    if (before?.id === row.id && before.joinedAt < row.joinedAt) this.exercised += 1;
  }

  /** A start ended with this; `id` is that of the key on its disk. */
  refused(node: string, id: string, { message }: Reason): void {
    const token = /^the join token (\w+) has been used/.exec(message)?.[1];
    if (token === undefined) return;
    const row = this.sight.rows.get(keys.joinToken(token)) as JoinTokenRecord | undefined;
    if (row?.usedBy.includes(id))
      this.fail(`${node} is counted among those who used its token, and is refused`);
  }
}
