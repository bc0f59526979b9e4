/**
 * R1: of several replicas that nothing probes, one that has stood for as long as a roll-out waits gives way only where
 * each of the others stands as well: a revision that crashes takes down one. Judged from the machine's own times, where
 * nothing else was wrong: who does not hear of an exit cannot heed it.
 */
import type { Assignment, ServiceSpec } from '../../../protocols/apps/model.ts';
import { probesOf } from '../../../protocols/health/check.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import { limits } from '../../../protocols/limits.ts';
import type { StoreEvent } from '../../../protocols/state/model.ts';
import type { MachineEvent } from '../../drivers/container/scripted/machine.ts';
import { desiredIn, type DesiredSlot } from '../oracle.ts';
import { ClusterChecker } from './checker.ts';

/** From an end to the write that could have heeded it. */
const heardMs = 3_000;
/** Answers that were slow have come by then. */
const calmMs = 10_000;

interface Stand {
  readonly placement: number;
  readonly sinceMs: number;
  readonly untilMs?: number;
}

const assignmentOf = (value: unknown): Assignment => value as Assignment;

export class OneByOne extends ClusterChecker {
  readonly name = 'R1';
  #disturbedAtMs = 0;
  /** By slot: its last container that was started. */
  readonly #stands = new Map<string, Stand>();
  readonly #assigned = new Map<string, Assignment>();

  override onBoot(): void {
    this.#disturbedAtMs = this.sight.nowMs();
  }

  override onCut(): void {
    this.#disturbedAtMs = this.sight.nowMs();
  }

  override onFrame(frame: Frame): void {
    if (frame.type === 'actor.crashed') this.#disturbedAtMs = this.sight.nowMs();
  }

  override onMachine({ what, status: { key } }: MachineEvent): void {
    const now = this.sight.nowMs();
    const stand = this.#stands.get(key.slot);
    if (what === 'started') this.#stands.set(key.slot, { placement: key.placement, sinceMs: now });
    else if (what === 'exited' && stand?.placement === key.placement)
      this.#stands.set(key.slot, { ...stand, untilMs: now });
  }

  override onRevision(events: readonly StoreEvent[], revision: number): void {
    const desired = desiredIn(this.sight.rows);
    const moved = events.flatMap((event) => this.#movedBy(event));
    for (const slot of moved) {
      const wanted = desired.get(slot);
      // What has ended is replaced at once.
      const stands = this.#stands.get(slot)?.untilMs === undefined && this.#stood(slot, this.#settleMs(slot));
      if (wanted && stands && this.#isCalm()) this.#judge(wanted, desired, revision);
    }
    for (const event of events) this.#note(event);
  }

  /** A slot that is placed anew. */
  #movedBy(event: StoreEvent): readonly string[] {
    if (event.type !== 'put' || !event.kv.key.includes('/slots/')) return [];
    const { slot, placement } = assignmentOf(event.kv.value);
    return placement > (this.#assigned.get(slot)?.placement ?? Infinity) ? [slot] : [];
  }

  #note(event: StoreEvent): void {
    const key = event.type === 'put' ? event.kv.key : event.key;
    if (!key.includes('/slots/')) return;
    if (event.type === 'delete') this.#assigned.delete(key.slice(key.indexOf('/slots/') + '/slots/'.length));
    else {
      const assignment = assignmentOf(event.kv.value);
      this.#assigned.set(assignment.slot, assignment);
    }
  }

  #judge(given: DesiredSlot, desired: ReadonlyMap<string, DesiredSlot>, revision: number): void {
    if (isJob(given.service)) return;
    const others = [...desired.values()].filter(
      ({ slot, app, service }) =>
        slot !== given.slot && app === given.app && service.name === given.service.name,
    );
    if (others.length === 0 || [given, ...others].some(({ slot }) => this.#isProbed(slot))) return;
    this.exercised += 1;
    const lacking = others.filter(({ slot }) => !this.#stood(slot) && !this.#completed(slot));
    if (lacking.length > 0)
      this.fail(
        `${given.slot} gave way at revision ${revision} while ${lacking.map(({ slot }) => slot).join(', ')} did not stand`,
      );
  }

  /** Where it failed before it is waited for longer. */
  #settleMs(slot: string): number {
    const failures = this.sight.recordOf(slot)?.history.failuresInARow ?? 0;
    return failures > 0 ? limits.settleAfterFailureMs : limits.settleMs;
  }

  /** The container of its assignment has run for so long, and still did when that could last be heard. */
  #stood(slot: string, forMs: number = limits.settleMs): boolean {
    const now = this.sight.nowMs();
    const stand = this.#stands.get(slot);
    if (!stand || stand.placement !== this.#assigned.get(slot)?.placement) return false;
    const { sinceMs, untilMs = now } = stand;
    // A clock may run a little fast.
    return (untilMs - sinceMs) * 1.001 >= forMs && now - untilMs <= heardMs;
  }

  /** What its probes say counts, not its age alone. */
  #isProbed(slot: string): boolean {
    const assignment = this.#assigned.get(slot);
    return assignment !== undefined && probesOf(assignment.spec).length > 0;
  }

  #completed(slot: string): boolean {
    const record = this.sight.recordOf(slot);
    return record?.outcome === 'completed' && record.placement === this.#assigned.get(slot)?.placement;
  }

  #isCalm(): boolean {
    const calmSince = this.sight.calmSinceMs();
    const since = Math.max(calmSince ?? Infinity, this.#disturbedAtMs);
    return (
      this.sight.nowMs() - since >= calmMs &&
      !this.sight.engineTroubledWithin(calmMs) &&
      !this.sight.storeIsFalse()
    );
  }
}

const isJob = ({ mode }: ServiceSpec): boolean => mode === 'replicated-job' || mode === 'global-job';
