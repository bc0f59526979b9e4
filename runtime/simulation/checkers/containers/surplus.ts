/** O2: never more than desired is assigned at any revision; nothing for what is stopped; never two of one slot run. */
import type { Assignment } from '../../../../protocols/apps/model.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { StoreEvent } from '../../../../protocols/state/model.ts';
import type { MachineEvent } from '../../../drivers/container/scripted/machine.ts';
import { assignmentsIn, desiredIn } from '../../oracle.ts';
import { ClusterChecker } from '../checker.ts';

/** Two looks of every level-triggered loop. */
const recoverMs = 2 * limits.reconcileMs;

export class NoSurplus extends ClusterChecker {
  readonly name = 'O2';
  #cutAtMs = -Infinity;

  override onCut(): void {
    this.#cutAtMs = this.sight.nowMs();
  }

  override onRevision(events: readonly StoreEvent[], revision: number): void {
    const put = events.flatMap((event) =>
      event.type === 'put' && event.kv.key.includes('/slots/') ? [event.kv.value as Assignment] : [],
    );
    if (put.length === 0) return;
    const desired = desiredIn(this.sight.rows);
    for (const assignment of put) {
      this.exercised += 1;
      if (!desired.has(assignment.slot))
        this.fail(`${assignment.slot} was assigned at revision ${revision} and nobody wants it`);
      if (this.sight.rows.get(`placements/${assignment.slot}`) !== assignment.placement)
        this.fail(
          `${assignment.slot} was assigned placement ${assignment.placement}, which is not its newest`,
        );
    }
    const assigned = assignmentsIn(this.sight.rows);
    for (const [service, wanted] of desiredCounts(desired.keys())) {
      const count = [...assigned.keys()].filter(
        (slot) => serviceOf(slot) === service && desired.has(slot),
      ).length;
      if (count > wanted) this.fail(`${count} of ${service} are assigned, ${wanted} are wanted`);
    }
  }

  override onMachine({ what, status }: MachineEvent): void {
    if (what !== 'started') return;
    const running = this.sight.nodes
      .flatMap(({ machine }) => machine.list())
      .filter((container) => container.key.slot === status.key.slot && container.phase === 'running');
    // A damaged journal may start an older run before the newer one is found again.
    if (this.sight.nowMs() - this.#cutAtMs < recoverMs) return;
    if (running.length > 1) this.fail(`${running.map((each) => each.id).join(' and ')} run at once`);
  }
}

const serviceOf = (slot: string): string => slot.slice(0, slot.lastIndexOf('.'));

function desiredCounts(slots: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const slot of slots) counts.set(serviceOf(slot), (counts.get(serviceOf(slot)) ?? 0) + 1);
  return counts;
}
