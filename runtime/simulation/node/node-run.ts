/** One node of a run: the machine, the lives of its daemon, what befalls it, and the checkers that watch it alone. */
import type { Frame } from '../../../protocols/inspection.ts';
import type { WatchNotice } from '../../../protocols/state/model.ts';
import type { MachineEvent } from '../../drivers/container/scripted/machine.ts';
import type { PortCall } from '../../world/simulated/gate.ts';
import type { SimulatedNode } from '../../world/simulated/simulated-node.ts';
import type { SimulatedWorld } from '../../world/simulated/simulated-world.ts';
import { nodeCheckers, type NodeCheckers } from '../checkers/all.ts';
import {
  Audience,
  type AnyChecker,
  type Checker,
  type Hook,
  type NodeSight,
  type Remains,
} from '../checkers/checker.ts';
import type { WatchWish } from '../checkers/store.ts';
import type { FalseStore } from '../cluster/false-store.ts';
import { entriesOf, JournalView } from './journal-view.ts';
import { Life } from './life.ts';
import { NodeFaults } from './node-faults.ts';

/** What happens on a node, for those who watch the whole. */
export interface NodeEvents {
  onFrame(frame: Frame): void;
  /** Of the second kernel of a node. */
  onMembershipFrame(frame: Frame): void;
  onBoot(node: NodeRun): void;
  /** Tells checkers of the whole as well, after those of the node. */
  each(hook: Hook, tell: (checker: AnyChecker) => void): void;
  /** A violation, or a failure of the harness or of the product outside of any actor. */
  onBroken(error: unknown): void;
}

/** What a node sees of the whole. */
export interface NodeSurroundings {
  readonly world: SimulatedWorld;
  readonly falseStore: FalseStore;
  /** Of the true store, whatever the node is shown. */
  rows(): ReadonlyMap<string, unknown>;
  /** Nothing is wrong around it, beside what is wrong with itself. */
  isCalm(): boolean;
}

export class NodeRun {
  readonly place: SimulatedNode;
  readonly life: Life;
  readonly faults: NodeFaults;
  readonly journal = new JournalView();
  readonly sight: NodeSight;
  readonly named: NodeCheckers;
  readonly checkers: readonly Checker[];
  readonly audience: Audience<Checker>;
  readonly #around: NodeSurroundings;
  readonly #events: NodeEvents;
  #calmSinceMs: number | undefined;
  #healedAtMs = Infinity;
  /** Its wall clock against true time, and when it was set the last time. */
  #clockOffMs = 0;
  #clockSetMs = -Infinity;

  constructor(place: SimulatedNode, around: NodeSurroundings, events: NodeEvents) {
    const { world, falseStore } = around;
    this.place = place;
    this.#around = around;
    this.#events = events;
    this.sight = this.#seen();
    this.named = nodeCheckers(this.sight);
    this.checkers = Object.values(this.named);
    this.audience = new Audience(this.checkers);
    this.life = new Life(place, world.clock, {
      onBoot: () => {
        events.onBoot(this);
        this.#each('onBoot', (checker) => checker.onBoot(this.sight));
      },
      onFrame: (frame) => {
        events.onFrame(frame);
        this.#each('onFrame', (checker) => checker.onFrame(frame, this.sight));
      },
      onEnd: (remains: Remains) => {
        this.#each('onEnd', (checker) => checker.onEnd(remains, this.sight));
      },
      onCall: (call) => this.#called(call),
      onAnswer: (call, value) => this.#answered(call, value),
      onWatch: (call) => this.#watched(call),
      onDefect: (error) => events.onBroken(error),
    });
    this.faults = new NodeFaults(world, this, falseStore, {
      followsStore: () => this.journal.followsStore,
      onCut: () => this.#cut(),
    });
    place.onMember = (change) => this.#each('onMember', (checker) => checker.onMember(change, this.sight));
    place.onMembershipFrame = (frame) => events.onMembershipFrame(frame);
    place.machine.observe((event: MachineEvent) =>
      this.#each('onMachine', (checker) => checker.onMachine(event, this.sight)),
    );
  }

  #seen(): NodeSight {
    const around = this.#around;
    const { machine, names, network, grants, name } = this.place;
    return {
      ...{ node: name, machine, names, network, grants },
      nowMs: () => around.world.clock.monotonicMs(),
      get rows() {
        return around.rows();
      },
      records: this.journal.records,
      calmSinceMs: () => this.#calmSinceMs,
      storeIsFalse: () => around.falseStore.there,
      engineTroubledWithin: (ms) => this.faults.engineTroubledWithin(ms),
      healedAtMs: () => this.#healedAtMs,
      membership: () => (this.life.node ? this.place.membership : undefined),
      datagrams: () => (this.life.node ? this.place.datagrams : undefined),
      connections: () => (this.life.node && this.place.cluster?.calls.conditions()) ?? [],
      identity: () => this.place.id,
      upSinceMs: () => this.life.upSinceMs,
      downSinceMs: () => this.life.downSinceMs,
      stopped: () => this.life.stopped,
      said: (id) => this.place.said.get(id),
      stands: () => this.life.stands,
      clockOffMs: () => this.#clockOffMs,
      clockSetMs: () => this.#clockSetMs,
    };
  }

  /** Since when nothing is wrong with it and around it. */
  get calmSinceMs(): number | undefined {
    return this.#calmSinceMs;
  }

  /** Notes whether all is calm. */
  feel(): void {
    const isCalm = this.faults.calm && this.#around.isCalm() && this.life.node !== undefined;
    if (!isCalm) this.#calmSinceMs = undefined;
    else this.#calmSinceMs ??= this.#around.world.clock.monotonicMs();
  }

  look(): void {
    const { node } = this.life;
    if (node === undefined) return;
    const counters = node.actors.counters();
    this.#each('onTick', (checker) => checker.onTick(counters));
  }

  /** Nothing is wrong with it from now on, `between` in the middle. */
  heal(between: () => void): void {
    this.#healedAtMs = this.#around.world.clock.monotonicMs();
    this.faults.heal(between);
  }

  /** Another disk: nothing of what stood on the machine is left. */
  wipe(): void {
    this.place.renew();
    for (const { id } of this.place.machine.list()) this.place.machine.remove(id, 'fault');
    this.#cut();
  }

  /** Its wall clock is set; nobody but `correctClock` sets it right. */
  setClock(byMs: number): void {
    this.#clockOffMs += byMs;
    this.place.time.jump(byMs);
    this.#clockWasSet();
  }

  correctClock(): void {
    this.place.time.correct();
    if (this.#clockOffMs === 0) return;
    this.#clockOffMs = 0;
    this.#clockWasSet();
  }

  #clockWasSet(): void {
    this.#clockSetMs = this.#around.world.clock.monotonicMs();
    this.#each('onClockSet', (checker) => checker.onClockSet(this.sight));
  }

  #cut(): void {
    this.journal.cut();
    this.#each('onCut', (checker) => checker.onCut(this.sight));
  }

  /** Containers that run, with their processes. */
  running(): string {
    const running = this.place.machine.list().filter((container) => container.phase === 'running');
    return running.map((container) => `${container.id} ${container.pid}`).join(', ');
  }

  /** Its own checkers, then those of the whole. */
  #each(hook: Hook, tell: (checker: AnyChecker) => void): void {
    for (const checker of this.audience.of(hook)) this.#tell(() => tell(checker));
    this.#events.each(hook, tell);
  }

  #tell(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#events.onBroken(error);
    }
  }

  #called(call: PortCall): void {
    if (call.port === 'journal' && call.op === 'append') {
      this.named.journal.asked(entriesOf(call.args));
      this.journal.appended(entriesOf(call.args));
    }
    this.#each('onCall', (checker) => checker.onCall(call, this.sight));
    this.faults.strike(`${call.port}.${call.op}`);
  }

  #answered(call: PortCall, value: unknown): void {
    this.#each('onAnswer', (checker) => checker.onAnswer(call, value, this.sight));
    if (call.port !== 'journal') return;
    this.#tell(() => {
      if (call.op === 'append') this.named.journal.answered(entriesOf(call.args));
      else this.named.journal.read((call.args as { prefix: string }).prefix, entriesOf(value));
    });
    if (call.op === 'read') this.journal.read(entriesOf(value));
  }

  #watched({ port, args }: PortCall): (notice: unknown) => void {
    if (port !== 'store') return () => {};
    const { watchesWhole } = this.named;
    const seen = watchesWhole.opened(args as WatchWish);
    return (notice) => this.#tell(() => seen(notice as WatchNotice));
  }
}
