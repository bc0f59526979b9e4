/**
 * A checker watches one invariant while a simulation runs. It sees frames, the true store, the scripted machine and
 * what was appended to the journal, never the node's memory; it says at once when the invariant is broken, and
 * counts how often it was put to the test, so that a campaign knows what it proved.
 */
import type { RunRecord } from '../../../protocols/containers/slot/value.ts';
import type { ActorView, Frame, KernelCounters } from '../../../protocols/inspection.ts';
import type { StoreEvent } from '../../../protocols/state/model.ts';
import type { MemoryNames } from '../../drivers/dns/memory-names.ts';
import type { MemoryGrants } from '../../drivers/grants/memory-grants.ts';
import type { MemoryNetwork } from '../../drivers/network/memory/memory-network.ts';
import type { PortCall } from '../../world/simulated/gate.ts';
import type { MachineEvent, ScriptedMachine } from '../../drivers/container/scripted/machine.ts';

/** What all checkers may look at. */
export interface Sight {
  /** Virtual ms since the start. */
  nowMs(): number;
  readonly machine: ScriptedMachine;
  readonly names: MemoryNames;
  readonly network: MemoryNetwork;
  readonly grants: MemoryGrants;
  /** The true store's rows, whatever the node is shown. */
  readonly rows: ReadonlyMap<string, unknown>;
  /** The newest run of each slot that was ever handed to the journal. */
  readonly records: ReadonlyMap<string, RunRecord>;
  /** Since when nothing is wrong in the world and a node runs; `undefined` while something is. */
  calmSinceMs(): number | undefined;
  /** A false store stands in place of the true one. */
  storeIsFalse(): boolean;
  /** The engine hung, or its answers were slow, at some time within the last so many ms. */
  engineTroubledWithin(ms: number): boolean;
}

/** The world of one life at its end. */
export interface Remains {
  readonly how: 'stop' | 'kill';
  readonly actors: readonly ActorView[];
  readonly timers: number;
  readonly streams: number;
}

export class Violation extends Error {
  readonly checker: string;
  constructor(checker: string, text: string) {
    super(`${checker}: ${text}`);
    this.name = 'Violation';
    this.checker = checker;
  }
}

export abstract class Checker {
  /** As in the list of invariants: `O4`. */
  abstract readonly name: string;
  /** How often the invariant could have been broken. */
  exercised = 0;
  protected readonly sight: Sight;

  constructor(sight: Sight) {
    this.sight = sight;
  }

  protected fail(text: string): never {
    throw new Violation(this.name, text);
  }

  onFrame(_frame: Frame): void {}
  onMachine(_event: MachineEvent): void {}
  /** One revision of the true store; `rows` holds it already. */
  onRevision(_events: readonly StoreEvent[], _revision: number): void {}
  /** Before a call of a port goes out, and when it was answered well. */
  onCall(_call: PortCall): void {}
  onAnswer(_call: PortCall, _value: unknown): void {}
  onBoot(): void {}
  /** A life is over: everything it left behind. */
  onEnd(_remains: Remains): void {}
  /** Its journal was cut: what it knew is partly gone. */
  onCut(): void {}
  /** Now and then, while a node runs. */
  onTick(_actors: () => readonly ActorView[], _counters: () => KernelCounters): void {}
}
