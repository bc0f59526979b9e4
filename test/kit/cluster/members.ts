/**
 * Nodes that hold membership and nothing else, in one process and in virtual time: subtrees with their actors, sealed
 * datagrams and streams over networks in memory. For tests of what a cluster sees.
 */
import type { NodeEvent } from '../../../protocols/effects.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import type { MemberStatus } from '../../../protocols/membership/model.ts';
import { timesOf } from '../../../protocols/membership/profile.ts';
import type { MemberChange } from '../../../protocols/membership/views/view.ts';
import type { Clock } from '../../../protocols/ports.ts';
import type { Calls } from '../../../protocols/wire/calls.ts';
import type { MembershipDoor } from '../../../runtime/membership/door.ts';
import { openMembershipInProcess } from './in-process.ts';
import { simulatedCipher } from '../../../runtime/simulation/membership/cipher.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { createCalls } from '../../../transport/calls/calls.ts';
import { MemoryDatagrams } from '../../../transport/memory/datagrams.ts';
import { openMemoryLink } from '../../../transport/memory/memory-link.ts';
import { MemoryStreams } from '../../../transport/memory/streams.ts';
import { KeyRing, ringKey } from '../../../transport/secure/key-ring.ts';
import { SealedDatagrams } from '../../../transport/secure/sealed-datagrams.ts';

export const gossipKey = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

export interface ClusterNode {
  readonly digit: string;
  readonly id: string;
  readonly place: string;
  readonly boot: number;
  readonly calls: Calls;
  readonly membership: MembershipDoor;
  readonly changes: MemberChange[];
  readonly events: NodeEvent[];
  readonly frames: Frame[];
  /** Its main thread does nothing for so long; its subtree goes on. */
  hang(ms: number): void;
  /** By name, as this node sees them; `n2 alive`. */
  sees(): Readonly<Record<string, MemberStatus>>;
}

export interface NodeOptions {
  readonly seeds?: readonly string[];
  readonly boot?: number;
  /** Another node of that name. */
  readonly id?: string;
  readonly host?: string;
  readonly key?: Uint8Array;
  /** Its events wait for somebody else. */
  readonly unheard?: boolean;
}

export interface MemberCluster {
  readonly clock: HeapClock;
  readonly datagrams: MemoryDatagrams;
  readonly streams: MemoryStreams;
  start(digit: string, options?: NodeOptions): Promise<ClusterNode>;
  /** Its process is gone; nobody is told. */
  kill(node: ClusterNode): Promise<void>;
  /** Nothing passes between the two on either plane, or from the first to the second alone. */
  cut(a: ClusterNode, b: ClusterNode, oneWay?: boolean): void;
  heal(): void;
  /** ms until it held. Throws when it does not within `withinMs`. */
  until(what: string, holds: () => boolean, withinMs: number): Promise<number>;
}

export function memberCluster(seed = 1): MemberCluster {
  const clock = new HeapClock();
  const datagrams = new MemoryDatagrams(clock, seededRandom(seed));
  const streams = new MemoryStreams(clock, seededRandom(seed + 1));
  let drawn = seed * 1_000;
  const random = () => seededRandom((drawn += 1));
  const places = new Set<string>();

  const start = async (digit: string, options: NodeOptions = {}): Promise<ClusterNode> => {
    const {
      seeds = ['1'],
      boot = 1,
      id = digit.repeat(32),
      host = `10.0.0.${digit}`,
      key = gossipKey(7),
    } = options;
    const name = `n${digit}`;
    const address = { host, port: 4_484 };
    const calls = createCalls({
      self: { id, name, role: 'agent', boot },
      link: streams.open({ id, name, role: 'agent' }, address),
      clock,
      random: random(),
    });
    const events: NodeEvent[] = [];
    const changes: MemberChange[] = [];
    const frames: Frame[] = [];
    const notary = simulatedNotary(id, name);
    const main = new HangingClock(clock);
    const membership = await openMembershipInProcess({
      clock: main,
      random: random(),
      calls,
      start: {
        self: { id, name, address, zone: '' },
        boot,
        seeds: seeds.filter((one) => one !== digit).map((one) => ({ host: `10.0.0.${one}`, port: 4_484 })),
        times: timesOf.lan,
      },
      tools: () => ({
        clock,
        notary: { ...notary, renew: () => {} },
        openLink: async (life, receive) =>
          openMemoryLink({
            network: datagrams,
            address,
            seal: new SealedDatagrams({
              cipher: simulatedCipher,
              ring: new KeyRing([ringKey(key)]),
              label: 'test',
              id,
              boot: life,
            }),
            receive,
          }),
        rotate: (link, keys) => link.rotate(new KeyRing(keys.map(ringKey))),
        onFrame: (frame) => frames.push(frame),
      }),
      raiseBoot: async (above) => above + 1,
    });
    membership.onChange((change) => changes.push(change));
    if (!options.unheard) membership.onEvent((event) => events.push(event));
    const sees = () => Object.fromEntries(membership.members().map((view) => [view.name, view.status]));
    const place = `${host} 4484`;
    places.add(place);
    const hang = (ms: number): void => {
      main.hang(ms);
      // What comes over streams waits for the main thread too.
      for (const other of places) streams.clog(other, place, ms);
    };
    return { hang, digit, id, place, boot, calls, membership, changes, events, frames, sees };
  };

  return {
    clock,
    datagrams,
    streams,
    start,
    kill: async (node) => {
      streams.vanish(node.place, true);
      await node.membership.close();
      await node.calls.close();
    },
    cut: (a, b, oneWay = false) => {
      for (const network of [datagrams, streams]) {
        network.cut(a.place, b.place);
        if (!oneWay) network.cut(b.place, a.place);
      }
    },
    heal: () => {
      datagrams.mendAll();
      streams.mendAll();
    },
    until: async (what, holds, withinMs) => {
      const startedAt = clock.monotonicMs();
      while (!holds()) {
        if (clock.monotonicMs() - startedAt >= withinMs)
          throw new Error(`not within ${withinMs} ms: ${what}`);
        await clock.advance(50);
      }
      return clock.monotonicMs() - startedAt;
    },
  };
}

/** A main thread's clock: nothing fires while it hangs, and then all of it. */
class HangingClock implements Clock {
  readonly #clock: Clock;
  #until = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  hang(ms: number): void {
    this.#until = this.#clock.monotonicMs() + ms;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  setTimer(delayMs: number, fire: () => void): { timer: unknown } {
    const held = { timer: undefined as unknown };
    const due = (): void => {
      const leftMs = this.#until - this.#clock.monotonicMs();
      if (leftMs <= 0) fire();
      else held.timer = this.#clock.setTimer(leftMs, due);
    };
    held.timer = this.#clock.setTimer(delayMs, due);
    return held;
  }

  clearTimer(held: { timer: unknown } | undefined): void {
    this.#clock.clearTimer(held?.timer);
  }

  defer(run: () => void): void {
    this.#clock.defer(run);
  }
}

/** Every one of them sees all of them alive, and nobody else living. */
export function agree(nodes: readonly ClusterNode[]): boolean {
  const names = nodes.map(({ digit }) => `n${digit}`).sort();
  return nodes.every((node) => {
    const seen = Object.entries(node.sees());
    const living = seen.filter(([, status]) => status === 'alive').map(([name]) => name);
    return seen.every(([, status]) => status !== 'suspected') && living.sort().join() === names.join();
  });
}
