/**
 * Which containers the journal surely says to have run. One that others took away before that is made again, and
 * counts as never started: nothing is left that could say otherwise.
 */
import { runEntry, type RunRecord } from '../../../protocols/containers/slot/value.ts';
import type { MachineEvent } from '../../drivers/container/scripted/machine.ts';
import type { PortCall } from '../../world/simulated/gate.ts';
import { entriesOf } from '../node/journal-view.ts';
import type { NodeSight } from './checker.ts';

export class NotedStarts {
  readonly #sight: NodeSight;
  readonly #ids = new Set<string>();

  constructor(sight: NodeSight) {
    this.#sight = sight;
  }

  /** A call was answered well. */
  answered({ port, op, args }: PortCall): void {
    if (port !== 'journal' || op !== 'append') return;
    const entries = entriesOf(args);
    for (const { id, key } of this.#sight.machine.list()) {
      const record = entries[runEntry(key.slot)] as RunRecord | undefined;
      if (record?.started !== true || record.placement !== key.placement) continue;
      if (record.run === key.run && record.attempt === key.attempt) this.#ids.add(id);
    }
  }

  isUntold({ what, by, status }: MachineEvent): boolean {
    return what === 'removed' && by === 'fault' && !this.#ids.has(status.id);
  }
}
