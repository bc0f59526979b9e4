/**
 * K4: a certificate that is due is renewed while nothing is wrong, long before it ends, and the registry says so. K5: after
 * quiet all nodes use the keys of the gossip that the store names, and no others.
 */
import type { GossipRing, MemberRecord } from '../../../../protocols/cluster/rows.ts';
import { renewalDelay } from '../../../../protocols/cluster/terms.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import type { ClusterHandle } from '../../../cluster/handle.ts';
import { ClusterChecker, type NodeSight } from '../checker.ts';

/** One that runs, with its clock. */
export interface Certified {
  readonly node: string;
  readonly care: NonNullable<ClusterHandle['care']>;
  /** Wall time there, ms since 1970. */
  readonly now: number;
  /** Its main thread does nothing. */
  readonly stands: boolean;
}

/** A look at the clock, a connection that is made anew, a refusal while the server starts. */
const dueMs = 20_000;
/** The pause after as many failures as there may have been before it was well. */
const retryMs = 140_000;

export class RenewedInTime extends ClusterChecker {
  readonly name = 'K4';
  /** By node: its certificate's end, and since when it is due while nothing is wrong. */
  readonly #due = new Map<string, { readonly until: number; readonly sinceMs: number }>();
  readonly #ends = new Map<string, number>();

  /** What is due while nobody runs is not waited for. */
  override onBoot({ node }: NodeSight): void {
    this.#due.delete(node);
  }

  look(certified: readonly Certified[]): void {
    const calmSinceMs = this.sight.calmSinceMs();
    for (const { node, care, now, stands } of certified) {
      const { from, until, unrenewed } = care.certificate();
      const end = this.#ends.get(node);
      if (end !== undefined && until > end) {
        this.exercised += 1;
        this.#judgeRow(node, until);
      }
      this.#ends.set(node, until);
      if (calmSinceMs === undefined || stands || renewalDelay([from, until], now) > 0) {
        this.#due.delete(node);
        continue;
      }
      const due = this.#due.get(node);
      if (due?.until !== until) {
        this.#due.set(node, { until, sinceMs: this.sight.nowMs() });
        continue;
      }
      const waitedMs = this.sight.nowMs() - due.sinceMs;
      if (waitedMs > (unrenewed ? retryMs : dueMs))
        this.fail(
          `the certificate of ${node} is due for ${waitedMs} ms, and is not renewed: ${unrenewed?.message}`,
        );
    }
  }

  /** A name is anybody's whose certificate has ended by the registry: what is renewed is written there. */
  #judgeRow(node: string, until: number): void {
    const { calmSinceMs, storeIsFalse, nowMs, rows } = this.sight;
    if (nowMs() - (calmSinceMs() ?? Infinity) < dueMs || storeIsFalse()) return;
    const row = rows.get(keys.member(node)) as MemberRecord | undefined;
    const owner = this.sight.nodes.find((one) => one.node === node);
    if (row === undefined || row.id !== owner?.identity() || row.notAfter >= until) return;
    this.fail(`the certificate of ${node} was renewed, and the registry says that it ends as before`);
  }
}

export class SameKeys extends ClusterChecker {
  readonly name = 'K5';

  judge(certified: readonly Certified[]): void {
    const ring = this.sight.rows.get(keys.gossipRing) as GossipRing | undefined;
    if (!ring) return;
    for (const { node, care } of certified) {
      this.exercised += 1;
      const names = care.gossipKeys();
      const isSame = names.join(' ') === ring.keys.join(' ');
      // A server that began with a store of before an exchange understands the old key until it begins anew.
      const more =
        node === 'n1' && names[0] === ring.keys[0] && ring.keys.every((key) => names.includes(key));
      if (!isSame && !more)
        this.fail(`${node} has the keys ${names.join(' ')}, and the store names ${ring.keys.join(' ')}`);
    }
  }
}
