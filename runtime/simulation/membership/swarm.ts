/**
 * Many membership cores on one virtual clock and one simulated network: what members say to each other and nothing
 * else of a node. For questions that need hundreds of members or days of their time.
 */
import type { MembershipEffect, Sender } from '../../../protocols/membership/desk.ts';
import type { Member, MemberAddress, NodeId } from '../../../protocols/membership/model.ts';
import { timesOf, type MembershipTimes } from '../../../protocols/membership/profile.ts';
import { protocolVersion } from '../../../protocols/membership/packets.ts';
import { Self } from '../../../protocols/membership/self.ts';
import { Swim, type MembershipInput } from '../../../protocols/membership/swim.ts';
import { MemoryDatagrams, type Place } from '../../../transport/memory/datagrams.ts';
import { placeOf } from '../../../transport/memory/memory-link.ts';
import { HeapClock } from '../../world/heap-clock.ts';
import { chanceFor } from '../../world/simulated/chance.ts';
import { simulatedNotary } from './notary.ts';

export interface SwarmOptions {
  readonly seed: number;
  readonly members: number;
  readonly times?: MembershipTimes;
  /** Failure domains, by turns. */
  readonly zones?: number;
}

/** A fact that one member learned of another. */
export interface Sighting {
  readonly at: number;
  readonly by: number;
  readonly member: Member;
}

interface Node {
  readonly index: number;
  readonly address: MemberAddress;
  boot: number;
  swim: Swim | undefined;
  stalledUntil: number;
  /** What arrived while it could not listen. */
  waiting: MembershipInput[];
  timer: unknown;
  /** When the timer fires. */
  wakesAt: number | undefined;
  release: () => void;
}

const port = 4484;

/** Of the member with this index. */
export const idOf = (index: number): NodeId => `id${index}`;
const hostOf = (index: number): string => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;

export class Swarm {
  readonly clock = new HeapClock();
  readonly network: MemoryDatagrams;
  readonly sightings: Sighting[] = [];
  /** Called at each sighting; tests that need days keep no list. */
  onSighting: (sighting: Sighting) => void = (sighting) => this.sightings.push(sighting);
  /** A member hears that another has records: what a node would pull and then tell itself. */
  onDigest: (by: number, told: Extract<MembershipEffect, { kind: 'digest' }>) => void = () => {};
  readonly #nodes: Node[] = [];
  readonly #options: SwarmOptions;
  readonly #byPlace = new Map<Place, Node>();

  constructor(options: SwarmOptions) {
    this.#options = options;
    this.network = new MemoryDatagrams(this.clock, chanceFor(options.seed, 'network'));
    for (let index = 0; index < options.members; index++) {
      const address = { host: hostOf(index), port };
      const node: Node = {
        index,
        address,
        boot: 0,
        swim: undefined,
        stalledUntil: 0,
        waiting: [],
        timer: undefined,
        wakesAt: undefined,
        release: () => {},
      };
      this.#nodes.push(node);
      this.#byPlace.set(placeOf(address), node);
      this.start(index);
    }
  }

  get now(): number {
    return this.clock.monotonicMs();
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** `undefined` while it is down. */
  core(index: number): Swim | undefined {
    return this.#nodes[index]!.swim;
  }

  up(): readonly number[] {
    return this.#nodes.filter(({ swim }) => swim).map(({ index }) => index);
  }

  place(index: number): Place {
    return placeOf(this.#nodes[index]!.address);
  }

  /** A new boot; it knows the first three members' addresses and nothing else. */
  start(index: number): void {
    const node = this.#nodes[index]!;
    node.boot += 1;
    const { seed, times = timesOf.lan, zones = 1 } = this.#options;
    const notary = simulatedNotary(idOf(index), `n${index}`);
    const profile = {
      name: `n${index}`,
      address: node.address,
      condition: 'ready',
      versions: [protocolVersion, protocolVersion],
      zone: `z${index % zones}`,
    } as const;
    const self = new Self(idOf(index), node.boot, profile, notary);
    const random = chanceFor(seed, `member ${index}.${node.boot}`);
    const seeds = this.#nodes.slice(0, 3).map(({ address }) => address);
    node.swim = new Swim({ times, random, notary, self, seeds });
    node.release = this.network.listen(this.place(index), (from, packet) => {
      const sender = this.#byPlace.get(from)!;
      this.#input(node, { kind: 'received', from: senderOf(sender), packet });
    });
    this.#input(node, { kind: 'start' });
  }

  /** Its process is gone at once. */
  kill(index: number): void {
    const node = this.#nodes[index]!;
    node.swim = undefined;
    node.waiting = [];
    node.release();
    this.clock.clearTimer(node.timer);
    node.wakesAt = undefined;
  }

  /** It handles nothing for `ms`, then everything at once: its overdue timers first, as Node's loop does. */
  stall(index: number, ms: number): void {
    const node = this.#nodes[index]!;
    node.stalledUntil = Math.max(node.stalledUntil, this.now + ms);
    this.clock.setTimer(ms, () => {
      if (node.stalledUntil > this.now) return;
      const { waiting } = node;
      node.waiting = [];
      this.#input(node, { kind: 'tick' });
      for (const input of waiting) this.#input(node, input);
    });
  }

  tell(index: number, input: MembershipInput): void {
    this.#input(this.#nodes[index]!, input);
  }

  /** Between the two groups nothing passes, in both directions or from the first to the second only. */
  partition(some: readonly number[], others: readonly number[], oneWay = false): void {
    for (const a of some) {
      for (const b of others) {
        this.network.cut(this.place(a), this.place(b));
        if (!oneWay) this.network.cut(this.place(b), this.place(a));
      }
    }
  }

  /** Lets `ms` pass. Nothing here is asynchronous, so no turn of the real loop is needed. */
  run(ms: number): void {
    const end = this.now + ms;
    while (this.clock.step(end - this.now));
    // Time stands at the end even if nothing happens there.
    let reached = this.now >= end;
    if (reached) return;
    this.clock.setTimer(end - this.now, () => (reached = true));
    while (!reached) this.clock.step();
  }

  /** Runs until the condition holds, looked at every `stepMs`; answers how long it took, `undefined` when longer than `withinMs`. */
  runUntil(holds: () => boolean, withinMs: number, stepMs = 50): number | undefined {
    const start = this.now;
    while (!holds()) {
      if (this.now - start >= withinMs) return undefined;
      this.run(stepMs);
    }
    return this.now - start;
  }

  /** Whether every member that is up sees all others that are up alive, and no one else living. */
  agreed(): boolean {
    const up = new Set(this.up().map(idOf));
    return this.up().every((index) => {
      const seen = this.core(index)!.members();
      const alive = seen.filter(({ status }) => status === 'alive');
      const suspected = seen.some(({ status }) => status === 'suspected');
      return !suspected && alive.length === up.size - 1 && alive.every(({ id }) => up.has(id));
    });
  }

  #input(node: Node, input: MembershipInput): void {
    if (!node.swim) return;
    if (node.stalledUntil > this.now) {
      if (input.kind !== 'tick') node.waiting.push(input);
      return;
    }
    this.#step(node, input);
  }

  #step(node: Node, input: MembershipInput): readonly MembershipEffect[] {
    const swim = node.swim!;
    const effects = swim.step(input, this.now);
    for (const effect of effects) this.#perform(node, effect);
    if (node.swim === swim) this.#arm(node, swim);
    return effects;
  }

  #arm(node: Node, swim: Swim): void {
    const next = swim.nextDeadline();
    if (next === node.wakesAt) return;
    this.clock.clearTimer(node.timer);
    node.wakesAt = next;
    if (next === undefined) return;
    node.timer = this.clock.setTimer(Math.max(0, next - this.now), () => {
      node.wakesAt = undefined;
      this.#input(node, { kind: 'tick' });
    });
  }

  #perform(node: Node, effect: MembershipEffect): void {
    switch (effect.kind) {
      case 'send':
        this.network.send(placeOf(node.address), placeOf(effect.to), effect.packet);
        break;
      case 'exchange':
        this.#exchange(node, effect);
        break;
      case 'ask-stream':
        this.#overStream(node, effect.to, (peer) => {
          this.#input(node, { kind: 'stream-heard', id: idOf(peer.index) });
        });
        break;
      case 'changed':
        this.onSighting({ at: this.now, by: node.index, member: effect.member });
        break;
      case 'digest':
        this.onDigest(node.index, effect);
        break;
      case 'gone':
        this.kill(node.index);
        break;
      case 'answer':
      case 'refuted':
      case 'doubled':
        break;
    }
  }

  /** One request and its answer; a call over the stream. */
  #exchange(node: Node, { to, exchange, body }: Extract<MembershipEffect, { kind: 'exchange' }>): void {
    this.#overStream(node, to, (peer) => {
      const effects = this.#step(peer, { kind: 'asked', from: senderOf(node), body });
      const answer = effects.find((effect) => effect.kind === 'answer');
      if (!answer) throw new Error(`${idOf(node.index)} asked what is not in form`);
      this.#input(node, { kind: 'answered', exchange, from: senderOf(peer), body: answer.body });
    });
  }

  /** A stream: it works while both ways are open and both ends listen. */
  #overStream(node: Node, to: MemberAddress, then: (peer: Node) => void): void {
    const boot = node.boot;
    this.clock.setTimer(2, () => {
      const peer = this.#byPlace.get(placeOf(to));
      if (!peer || peer === node || !peer.swim || node.boot !== boot || !node.swim) return;
      const [here, there] = [placeOf(node.address), placeOf(to)];
      if (this.network.isCut(here, there) || this.network.isCut(there, here)) return;
      if (peer.stalledUntil > this.now) return;
      then(peer);
    });
  }
}

function senderOf({ index, address }: Node): Sender {
  return { id: idOf(index), address };
}
