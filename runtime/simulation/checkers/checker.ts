/**
 * A checker watches one invariant while a simulation runs. It sees frames, the true store, the scripted machine and
 * what was appended to the journal, never the node's memory; it says at once when the invariant is broken, and
 * counts how often it was put to the test, so that a campaign knows what it proved.
 */
import type { RunRecord } from '../../../protocols/containers/slot/value.ts';
import type { ActorView, Frame, KernelCounters } from '../../../protocols/inspection.ts';
import type { MembershipTimes } from '../../../protocols/membership/profile.ts';
import type { Membership } from '../../../protocols/membership/views/port.ts';
import type { Incarnation, NodeId } from '../../../protocols/membership/model.ts';
import type { MemberChange } from '../../../protocols/membership/views/view.ts';
import type { StoreEvent } from '../../../protocols/state/model.ts';
import type { PeerCondition } from '../../../protocols/wire/calls.ts';
import type { DatagramCounts } from '../../../transport/datagram-link.ts';
import type { MemoryNames } from '../../drivers/dns/memory-names.ts';
import type { MemoryGrants } from '../../drivers/grants/memory-grants.ts';
import type { MemoryNetwork } from '../../drivers/network/memory/memory-network.ts';
import type { Stopped } from '../node/life.ts';
import type { PortCall } from '../../world/simulated/gate.ts';
import type { MachineEvent, ScriptedMachine } from '../../drivers/container/scripted/machine.ts';

/** What checkers of one node may look at. */
export interface NodeSight {
  readonly node: string;
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
  /** Since when nothing is wrong around the node and it runs; `undefined` while something is. */
  calmSinceMs(): number | undefined;
  /** A false store stands in place of the true one. */
  storeIsFalse(): boolean;
  /** The engine hung, or its answers were slow, at some time within the last so many ms. */
  engineTroubledWithin(ms: number): boolean;
  /** When it was healed the last time: from then on all is well with what runs there. */
  healedAtMs(): number;
  /** Of the present life; nothing while it is down, and where it is alone. */
  membership(): Membership | undefined;
  /** Of the same life: its packets to and from the others. */
  datagrams(): DatagramCounts | undefined;
  /** Of the same life: what waits between it and each of the others. */
  connections(): readonly PeerCondition[];
  /** The id of its key. */
  identity(): string;
  /** The greatest that its membership said of itself under this id, whatever its main thread knows of that. */
  said(id: NodeId): Incarnation | undefined;
  /** Since when its process is there, or is not. */
  upSinceMs(): number | undefined;
  downSinceMs(): number | undefined;
  /** If the last of its lives that is over was told to stop, and said that it comes back. */
  stopped(): Stopped | undefined;
  /** Its main thread does nothing. */
  stands(): boolean;
  /** Its wall clock against true time, and when somebody set it the last time. */
  clockOffMs(): number;
  clockSetMs(): number;
}

/** What checkers of the whole may look at. */
export interface ClusterSight {
  nowMs(): number;
  readonly rows: ReadonlyMap<string, unknown>;
  readonly nodes: readonly NodeSight[];
  /** Since when nothing is wrong anywhere and every node runs. */
  calmSinceMs(): number | undefined;
  storeIsFalse(): boolean;
  engineTroubledWithin(ms: number): boolean;
  /** The newest run of the slot, on the node that holds it. */
  recordOf(slot: string): RunRecord | undefined;
  /** When the last of what is worse than a tenth of the packets lost and stalls of a second was over; `Infinity` before. */
  stormEndedMs(): number;
  /** Of the members. */
  readonly times: MembershipTimes;
  /** Datagrams so far. */
  packetsSent(): number;
  /** Some node has or had this id. */
  everKnown(id: string): boolean;
  /** How many ids there were. */
  identities(): number;
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

/** Hooks say where something happened; a checker of one node is told of that node alone. */
abstract class BareChecker<Sight> {
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

  onFrame(_frame: Frame, _at: NodeSight): void {}
  onMachine(_event: MachineEvent, _at: NodeSight): void {}
  /** One revision of the true store; `rows` holds it already. */
  onRevision(_events: readonly StoreEvent[], _revision: number): void {}
  /** Before a call of a port goes out, and when it was answered well. */
  onCall(_call: PortCall, _at: NodeSight): void {}
  onAnswer(_call: PortCall, _value: unknown, _at: NodeSight): void {}
  /** Its membership tells of another node. */
  onMember(_change: MemberChange, _at: NodeSight): void {}
  onBoot(_at: NodeSight): void {}
  /** A life is over: everything it left behind. */
  onEnd(_remains: Remains, _at: NodeSight): void {}
  /** Its journal was cut: what it knew is partly gone. */
  onCut(_at: NodeSight): void {}
  /** Its wall clock was set: what it measures between two times across this is wrong. */
  onClockSet(_at: NodeSight): void {}
  /** Now and then, while the node runs. */
  onTick(_counters: KernelCounters): void {}
}

/** One a node. */
export abstract class Checker extends BareChecker<NodeSight> {}

/** One a run, told of all nodes. */
export abstract class ClusterChecker extends BareChecker<ClusterSight> {}

export type AnyChecker = Checker | ClusterChecker;

export type Hook = Extract<keyof AnyChecker, `on${string}`>;

/** Of each hook, those that do something there, in their order: much happens, and most care for little of it. */
export class Audience<One extends AnyChecker> {
  readonly #all: readonly One[];
  readonly #of = new Map<Hook, readonly One[]>();

  constructor(all: readonly One[]) {
    this.#all = all;
  }

  of(hook: Hook): readonly One[] {
    let some = this.#of.get(hook);
    if (some === undefined) {
      some = this.#all.filter((one) => one[hook] !== BareChecker.prototype[hook]);
      this.#of.set(hook, some);
    }
    return some;
  }
}
