/**
 * Simulated machines and what they share: the clock, the seed's chance, the true store and its keys. It outlives every
 * daemon that runs on them.
 */
import { timesOf, type MembershipTimes } from '../../../protocols/membership/profile.ts';
import type { GossipKeys } from '../../../protocols/membership/views/view.ts';
import type { SecretBox } from '../../../protocols/ports.ts';
import type { DatagramCipher } from '../../../transport/secure/datagram-cipher.ts';
import type { ScriptOf } from '../../drivers/container/scripted/script.ts';
import { MemoryKeys } from '../../drivers/secrets/key-ring.ts';
import { createSecretBox } from '../../drivers/secrets/secret-box.ts';
import { createMemoryStore, type MemoryStore } from '../../drivers/store/memory/memory-store.ts';
import { cipherOf } from '../../simulation/membership/cipher.ts';
import { HeapClock } from '../heap-clock.ts';
import { chanceFor } from './chance.ts';
import { Hub } from './hub.ts';
import { gossipSecret } from './simulated-cluster.ts';
import { SimulatedNode } from './simulated-node.ts';

/** From one node to the next: some have new keys before others know them. */
const keysTakeMs = 200;

export interface WorldOptions {
  readonly images: readonly string[];
  readonly scriptOf: ScriptOf;
  /** How many machines; one when not said. */
  readonly nodes?: number;
  /** Of members, where there are several. */
  readonly times?: MembershipTimes;
  /** Nodes begin without a place in the cluster, and join; so long their certificates are good. */
  readonly certificateMs?: number;
}

export class SimulatedWorld {
  readonly clock = new HeapClock();
  readonly seed: number;
  /** `n1` is the first server: its process holds the store. */
  readonly nodes: readonly SimulatedNode[];
  readonly hub: Hub;
  /** Of their datagrams. */
  readonly cipher: DatagramCipher;
  /** Of members. */
  readonly times: MembershipTimes;
  memory: MemoryStore;
  /** Told when the store's process was restarted. */
  onMemory: (memory: MemoryStore) => void = () => {};
  #keys: GossipKeys = [gossipSecret];
  /** Its keys outlive every life, as a key file does. */
  readonly secrets: SecretBox;

  constructor(
    seed: number,
    { images, scriptOf, nodes = 1, times = timesOf.lan, certificateMs }: WorldOptions,
  ) {
    this.seed = seed;
    this.times = times;
    this.cipher = cipherOf(seed);
    const { clock, cipher } = this;
    this.memory = createMemoryStore({ clock, random: chanceFor(seed, 'memory') });
    this.secrets = createSecretBox({
      storage: new MemoryKeys(),
      random: chanceFor(seed, 'secrets'),
      store: () => this.memory,
    });
    const { memory, secrets } = this;
    const names = Array.from({ length: nodes }, (_, index) => `n${index + 1}`);
    this.hub = new Hub(clock, seed, names);
    const cluster = {
      ...{ hub: this.hub, times, cipher, keys: () => this.#keys, server: () => this.first },
      ...(certificateMs === undefined ? {} : { joining: { certificateMs, seeds: this.#seedsOf } }),
    };
    this.nodes = names.map((name, index) => {
      // What one node alone draws does not depend on how many others there are.
      const chance = (purpose: string) => chanceFor(seed, index === 0 ? purpose : `${name} ${purpose}`);
      return new SimulatedNode(name, index === 0 ? 'server' : 'agent', {
        ...{ clock, chance, memory, secrets, images, scriptOf },
        ...(nodes > 1 ? { cluster } : {}),
      });
    });
  }

  /** The node before it, which says where the server is if it has joined, and the server. */
  readonly #seedsOf = (name: string) => {
    const before = `n${Math.max(1, Number(name.slice(1)) - 1)}`;
    return [...new Set([before, 'n1'])].map((seed) => this.hub.addressOf(seed));
  };

  /** Keys of the gossip, told to one node after the other that is up; the others read them when they start. */
  rotate(keys: GossipKeys): void {
    this.#keys = keys;
    this.nodes.forEach((node, index) => {
      this.clock.setTimer(index * keysTakeMs, () => node.membership?.rotate(keys));
    });
  }

  get keys(): GossipKeys {
    return this.#keys;
  }

  get first(): SimulatedNode {
    return this.nodes[0]!;
  }

  /** The store's process restarts: what waited is refused, what was answered is there. */
  async restartMemory(): Promise<void> {
    const image = this.memory.image();
    await this.memory.close();
    const random = chanceFor(this.seed, `memory ${image.commits.length}`);
    this.memory = createMemoryStore({ clock: this.clock, random, image });
    this.onMemory(this.memory);
    this.showStore(this.memory);
  }

  /** From now on this store is met, by the other nodes through the first one; watches end. */
  showStore(store: MemoryStore): void {
    this.first.store.exchange(store);
  }
}
