/** What befalls the network between nodes, their time, and whole machines; and how it is healed, some nodes before others. */
import { suspicionTimes } from '../../../protocols/membership/profile.ts';
import type { SimulatedWorld } from '../../world/simulated/simulated-world.ts';
import type { Life } from '../node/life.ts';
import type { NodeRun } from '../node/node-run.ts';
import type { NodeSight } from '../checkers/checker.ts';
import { strangePackets, type StrangePacket } from './strangers.ts';
import { Windows } from '../node/windows.ts';
import type { ClusterFault, ClusterPlan, JoiningPlan, NetworkPlan } from '../plans/cluster-plan.ts';

type Ways = readonly (readonly [string, string])[];
type Undo = () => void;

/** A cluster in which no more is wrong declares nobody dead who lives. */
const mildLoss = 0.1;
const mildStallMs = 1_000;
/** … nor in one half of the shortest suspicion: who cannot answer in time has no way to refute it. */
const mildShare = 0.5;
/** Between two steps of a rotation: longer than a packet is under way. */
const stepMs = 12_000;
/** A clock that was set wrong is set right: nodes whose times are too far apart speak to nobody meanwhile. */
const clockOffMs = 40_000;
/** Fills the keys, so that no two are alike. */
const firstRotation = 101;
/** Until a person asks for a rotation again that broke off. */
const rotateAgainMs = 3_000;
/** Certificates are good for days where clocks are off by an hour. */
const dayMs = 86_400_000;

/** What the faults go by, and who is told of some kinds. */
export interface FaultsAround {
  /** How the nodes joined, where they have. */
  readonly joined: JoiningPlan | undefined;
  /** Lets a packet of a stranger arrive there. */
  onStranger(packet: StrangePacket, at: NodeSight): void;
  /** A step of an exchange of the gossip's key is over, to all that are up within one step. */
  onKeys(): void;
}

export class ClusterFaults {
  readonly #world: SimulatedWorld;
  readonly #nodes: readonly NodeRun[];
  readonly #windows: Windows;
  readonly #around: FaultsAround;
  /** Of what nobody need survive as alive: so many are open, and when the last was over. */
  #rotating = false;
  #rotations = firstRotation - 1;
  #storms = 0;
  #healed = false;
  #stormEndedMs = 0;
  /** Of everything that stands now. */
  readonly #undo = new Set<Undo>();
  /** Lives with a short stall. */
  readonly #standing = new Set<Life>();

  constructor(world: SimulatedWorld, nodes: readonly NodeRun[], around: FaultsAround) {
    this.#world = world;
    this.#nodes = nodes;
    this.#around = around;
    this.#windows = new Windows(world.clock);
  }

  get calm(): boolean {
    return this.#windows.open === 0 && !(this.#around.joined && this.#rotating);
  }

  /** When the last was over of what makes the living look dead; `Infinity` while it lasts. */
  stormEndedMs({ loss }: NetworkPlan): number {
    if (this.#storms > 0 || (!this.#healed && loss > mildLoss)) return Infinity;
    return this.#stormEndedMs;
  }

  apply(fault: ClusterFault): void {
    switch (fault.do) {
      case 'part':
        return this.#cut(fault.forMs, this.#across(fault.side, fault.oneWay));
      case 'cutWay':
        return this.#cut(fault.forMs, this.#way(fault.from, fault.to));
      case 'worseWay': {
        const { loss, meanMs, duplicate, replay } = fault;
        return this.#onWays(fault.forMs, this.#way(fault.from, fault.to), (from, to) =>
          this.#world.hub.worsen(from, to, { loss, meanMs, duplicate, replay }),
        );
      }
      case 'clog':
        return this.#onWays(fault.forMs, this.#way(fault.from, fault.to), (from, to) => {
          this.#world.hub.clog(from, to, fault.forMs);
          return () => {};
        });
      case 'rotate':
        return this.#rotate();
      case 'stranger':
        return this.#strange(fault);
      case 'stall':
      case 'freeze':
        return this.#stand(fault);
      default:
        return this.#strike(fault);
    }
  }

  #stand(fault: Extract<ClusterFault, { do: 'stall' | 'freeze' }>): void {
    const { life } = this.#node(fault.node);
    const threads = fault.do === 'freeze' ? (['main', 'membership'] as const) : [fault.thread];
    const goOn = threads.map((thread) => life.halt(thread));
    const forMs = fault.forMs;
    // Two in a row are a long one.
    const { shortestMs } = suspicionTimes(this.#world.times, this.#nodes.length);
    const isLong = forMs > Math.min(mildStallMs, mildShare * shortestMs) || this.#standing.has(life);
    if (!isLong) this.#standing.add(life);
    this.#during(
      forMs,
      () => {
        if (!isLong) this.#standing.delete(life);
        goOn.forEach((each) => each());
      },
      isLong,
    );
  }

  /** Known to all, then used by all, then alone: as a server does it once all have been told. */
  #rotate(): void {
    if (this.#rotating) return;
    this.#rotating = true;
    if (this.#around.joined) return this.#rotateJoined();
    const [old] = this.#world.keys;
    const next = new Uint8Array(32).fill((this.#rotations += 1));
    const { clock, hub } = this.#world;
    this.#world.rotate([old, next]);
    clock.setTimer(stepMs, () => this.#world.rotate([next, old]));
    const isFirst = this.#rotations === firstRotation;
    clock.setTimer(2 * stepMs, () => {
      // What is replayed may be older than the exchange before.
      if (isFirst || hub.datagrams.counts.replayed === 0) this.#around.onKeys();
      this.#world.rotate([next]);
      this.#rotating = false;
    });
    clock.setTimer(3 * stepMs, () => {
      // What is replayed may be older than the key that is left.
      if (hub.datagrams.counts.replayed === 0) this.#around.onKeys();
    });
  }

  /** By the product's own command. What broke off is gone on with: a rotation begun is always brought to its end. */
  #rotateJoined(): void {
    const { life, place } = this.#nodes[0]!;
    const again = () => this.#world.clock.setTimer(rotateAgainMs, () => this.#rotateJoined());
    life
      .during(async () => {
        await place.cluster?.care?.rotateKeys();
        return true;
      })
      .then((done) => (done ? (this.#rotating = false) : again()), again);
  }

  #strange({ node, packets }: Extract<ClusterFault, { do: 'stranger' }>): void {
    const { place, sight } = this.#node(node);
    for (const packet of strangePackets(this.#world, place, packets)) this.#around.onStranger(packet, sight);
  }

  #strike(fault: Extract<ClusterFault, { do: 'jump' | 'drift' | 'wipe' | 'leave' }>): void {
    const node = this.#node(fault.node);
    const { place, life } = node;
    switch (fault.do) {
      case 'jump':
        return this.#setClock(node, fault.byMs);
      case 'drift':
        return place.time.drift(1 + fault.ppm / 1_000_000);
      case 'wipe':
        return life.kill(0, fault.downMs, () => node.wipe());
      case 'leave':
        return void life.leave().then(() => {
          life.restartIn(fault.downMs);
        });
    }
  }

  #setClock(node: NodeRun, byMs: number): void {
    node.setClock(byMs);
    // By such a clock nobody's certificate is good that is short: whoever has it may think what it likes.
    const isStorm = this.#around.joined !== undefined && this.#around.joined.certificateMs < dayMs;
    if (isStorm) this.#storms += 1;
    this.#world.clock.setTimer(clockOffMs, () => {
      if (isStorm && !this.#healed) {
        this.#storms -= 1;
        this.#stormEndedMs = this.#world.clock.monotonicMs();
      }
      node.correctClock();
    });
  }

  /** Nodes of the core hear each other, keep their time, and are up; the others are down, or nobody hears them. */
  healCore({ core, apart }: ClusterPlan): void {
    this.#healAll();
    const away = this.#nodes.filter((_, index) => !isIn(core | 1, index));
    if (apart === 'cut') {
      const names = new Set(away.map(({ place }) => place.name));
      for (const [from, to] of this.#world.hub.ways())
        if (names.has(from) !== names.has(to)) this.#undo.add(this.#world.hub.cut(from, to));
      this.#storms = this.#undo.size;
    } else for (const { life } of away) life.keepDown();
  }

  heal(): void {
    this.#healAll();
    for (const { life } of this.#nodes) life.start();
  }

  #healAll(): void {
    this.#windows.heal();
    this.#healed = true;
    this.#storms = 0;
    this.#stormEndedMs = this.#world.clock.monotonicMs();
    for (const undo of this.#undo) undo();
    this.#undo.clear();
    for (const [from, to] of this.#world.hub.ways()) this.#world.hub.clog(from, to, 0);
    for (const node of this.#nodes) node.correctClock();
  }

  #node(index: number): NodeRun {
    return this.#nodes[index % this.#nodes.length]!;
  }

  #way(from: number, to: number): Ways {
    const [a, b] = [this.#node(from).place.name, this.#node(to).place.name];
    return a === b ? [] : [[a, b]];
  }

  #across(side: number, oneWay: boolean): Ways {
    const here = new Set(this.#nodes.filter((_, index) => isIn(side, index)).map(({ place }) => place.name));
    return this.#world.hub
      .ways()
      .filter(([from, to]) => here.has(from) !== here.has(to) && (!oneWay || here.has(from)));
  }

  #cut(forMs: number, ways: Ways): void {
    this.#onWays(forMs, ways, (from, to) => this.#world.hub.cut(from, to));
  }

  #onWays(forMs: number, ways: Ways, begin: (from: string, to: string) => Undo): void {
    if (ways.length === 0) return;
    const undo = ways.map(([from, to]) => begin(from, to));
    this.#during(forMs, () => undo.forEach((each) => each()));
  }

  #during(forMs: number, undo: Undo, isStorm = true): void {
    this.#undo.add(undo);
    if (isStorm) this.#storms += 1;
    const end = () => {
      this.#undo.delete(undo);
      if (isStorm) this.#storms -= 1;
      if (isStorm) this.#stormEndedMs = this.#world.clock.monotonicMs();
      undo();
    };
    this.#windows.begin(undefined, forMs, () => {}, end);
  }
}

export const isIn = (bits: number, index: number): boolean => ((bits >> index) & 1) === 1;
