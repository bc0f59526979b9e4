/**
 * J1: a run of a job that has succeeded is never made again under its placement. J2: of a job no more are at work than
 * may be at once: a slot that was idle is placed only where there is room.
 */
import type { Assignment } from '../../../../protocols/apps/model.ts';
import type { StoreEvent } from '../../../../protocols/state/model.ts';
import type { MachineEvent } from '../../../drivers/container/scripted/machine.ts';
import { assignmentsIn, desiredIn } from '../../oracle.ts';
import { Checker, ClusterChecker } from '../checker.ts';

export class JobsOnce extends Checker {
  readonly name = 'J1';
  /** `slot#placement` */
  readonly #succeeded = new Set<string>();

  override onMachine({ what, status: { id, key, exit } }: MachineEvent): void {
    const run = `${key.slot}#${key.placement}`;
    if (what === 'started' && this.#succeeded.has(run)) this.fail(`${id} runs although ${run} has succeeded`);
    const isJob = this.sight.machine.created(id)?.spec.mode === 'replicated-job';
    if (what !== 'exited' || !isJob || exit?.code !== 0) return;
    // One that was asked to end has not succeeded; its record says so.
    const record = this.sight.records.get(key.slot);
    if (record?.placement !== key.placement || record.stop || record.outcome) return;
    this.exercised += 1;
    this.#succeeded.add(run);
  }

  override onCut(): void {
    this.#succeeded.clear();
  }
}

export class JobsAbreast extends ClusterChecker {
  readonly name = 'J2';
  /** Before the present revision, by slot. */
  #assigned: ReadonlyMap<string, Assignment> = new Map();
  /** `slot#placement` that had ended at the last tick: by the next revision the node has told of it. */
  #told: ReadonlySet<string> = new Set();

  override onTick(): void {
    const ended = [...this.#assigned.values()].filter((one) => !this.#isAtWork(one));
    this.#told = new Set(ended.map(({ slot, placement }) => `${slot}#${placement}`));
  }

  override onRevision(events: readonly StoreEvent[], revision: number): void {
    if (!events.some((event) => keyOf(event).startsWith('nodes/'))) return;
    const before = this.#assigned;
    this.#assigned = assignmentsIn(this.sight.rows);
    const placed = [...this.#assigned.values()].filter(
      ({ slot, placement }) => placement !== before.get(slot)?.placement && this.#wasIdle(before.get(slot)),
    );
    for (const service of new Set(placed.map(({ app, service: name }) => `${app}/${name}`)))
      this.#judge(service, revision);
  }

  #judge(service: string, revision: number): void {
    const slots = [...desiredIn(this.sight.rows).values()].filter(({ slot }) =>
      slot.startsWith(`${service}.`),
    );
    const spec = slots[0]?.service;
    if (spec?.mode !== 'replicated-job') return;
    const atWork = slots.filter(({ slot }) => this.#isAtWork(this.#assigned.get(slot)));
    const most = spec.job?.parallel ?? spec.replicas;
    this.exercised += 1;
    if (atWork.length > most)
      this.fail(`${atWork.length} of ${service} are at work at revision ${revision}, ${most} may be`);
  }

  #wasIdle(before: Assignment | undefined): boolean {
    return before === undefined || this.#told.has(`${before.slot}#${before.placement}`);
  }

  /** As far as the journal knows, which is ahead of what the node has reported. */
  #isAtWork(assignment: Assignment | undefined): boolean {
    if (!assignment) return false;
    const record = this.sight.recordOf(assignment.slot);
    const outcome = record?.placement === assignment.placement ? record.outcome : undefined;
    return outcome !== 'completed' && outcome !== 'failed';
  }
}

const keyOf = (event: StoreEvent): string => (event.type === 'put' ? event.kv.key : event.key);
