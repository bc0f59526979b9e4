/** O4: a container's life only goes forward; placements and runs only grow. */
import type { RunKey } from '../../../../protocols/containers/model.ts';
import type { StoreEvent } from '../../../../protocols/state/model.ts';
import type { MachineEvent } from '../../../drivers/container/scripted/machine.ts';
import type { PortCall } from '../../../world/simulated/gate.ts';
import { Checker } from '../checker.ts';
import { NotedStarts } from '../noted-starts.ts';

const order = ['made', 'created', 'started', 'exited', 'removed'] as const;

export class ForwardLives extends Checker {
  readonly name = 'O4';
  /** How far each id has come. */
  readonly #reached = new Map<string, number>();
  readonly #newest = new Map<string, RunKey>();
  readonly #placements = new Map<string, number>();
  readonly #ran = new Set<string>();
  readonly #noted = new NotedStarts(this.sight);

  override onCut(): void {
    // Runs are counted in the journal: what it forgot is counted again.
    this.#newest.clear();
    this.#reached.clear();
    this.#ran.clear();
  }

  override onAnswer(call: PortCall): void {
    this.#noted.answered(call);
  }

  override onMachine(event: MachineEvent): void {
    const { what, status } = event;
    const step = order.indexOf(what as (typeof order)[number]);
    if (step < 0) return;
    this.exercised += 1;
    const { id, key } = status;
    if (what === 'made') this.#made(id, key);
    else if (step <= (this.#reached.get(id) ?? -1)) this.fail(`${id} was ${what} after it had come further`);
    if (what === 'started') this.#ran.add(id);
    this.#reached.set(id, step);
    if (!this.#noted.isUntold(event)) return;
    this.#ran.delete(id);
    this.#reached.delete(id);
  }

  /** Making an id again is a retry of the same create, unless its process has run. */
  #made(id: string, key: RunKey): void {
    const ran = this.#ran.has(id);
    if (ran) this.fail(`${id} was made again after it had run`);
    const newest = this.#newest.get(key.slot);
    if (newest && compareKeys(key, newest) < 0)
      this.fail(`${id} was made after ${newest.placement}.${newest.run}.${newest.attempt} of ${key.slot}`);
    this.#newest.set(key.slot, key);
  }

  override onRevision(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (event.type !== 'put' || !event.kv.key.startsWith('placements/')) continue;
      const before = this.#placements.get(event.kv.key) ?? 0;
      const now = event.kv.value as number;
      if (now <= before) this.fail(`${event.kv.key} went from ${before} to ${now}`);
      this.#placements.set(event.kv.key, now);
    }
  }
}

export function compareKeys(a: RunKey, b: RunKey): number {
  return a.placement - b.placement || a.run - b.run || a.attempt - b.attempt;
}
