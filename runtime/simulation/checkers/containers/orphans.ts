/** O5: in a calm world no container stays longer than the bound without an assignment of its slot. */
import { limits } from '../../../../protocols/limits.ts';
import { assignmentsIn } from '../../oracle.ts';
import { Checker } from '../checker.ts';

/** A look at everything, the longest grace period, the kill, and some steps. */
const boundMs = limits.reconcileMs + limits.stopGraceMs + limits.killMs + 10_000;

export class NoOrphans extends Checker {
  readonly name = 'O5';
  /** Since when a container has no assignment. */
  readonly #since = new Map<string, number>();

  override onTick(): void {
    const assigned = assignmentsIn(this.sight.rows, this.sight.node);
    const now = this.sight.nowMs();
    const calmMs = this.sight.calmSinceMs();
    const seen = new Set<string>();
    for (const { id, key } of this.sight.machine.list()) {
      const assignment = assigned.get(key.slot);
      if (assignment !== undefined && assignment.placement <= key.placement) continue;
      seen.add(id);
      const since = this.#since.get(id) ?? now;
      if (!this.#since.has(id)) this.exercised += 1;
      this.#since.set(id, since);
      if (calmMs === undefined) continue;
      if (now - Math.max(since, calmMs) > boundMs)
        this.fail(`${id} is still there ${now - since} ms after its assignment went`);
    }
    for (const id of this.#since.keys()) if (!seen.has(id)) this.#since.delete(id);
  }
}
