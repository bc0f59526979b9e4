/** A store of one node as others reach it: real calls over the network in memory, in virtual time. */
import type { NodeRole } from '../../../../../protocols/wire/catalogue.ts';
import type { Calls, Peer } from '../../../../../protocols/wire/calls.ts';
import {
  createMemoryStore,
  type MemoryStore,
} from '../../../../../runtime/drivers/store/memory/memory-store.ts';
import { RemoteStore } from '../../../../../runtime/drivers/store/remote/remote-store.ts';
import { openStoreDoor } from '../../../../../runtime/drivers/store/remote/store-door.ts';
import type { Clock, Random, Stop } from '../../../../../protocols/ports.ts';
import { createCalls } from '../../../../../transport/calls/calls.ts';
import { MemoryStreams } from '../../../../../transport/memory/streams.ts';

export class RemoteRig {
  readonly network: MemoryStreams;
  readonly server: Peer = { id: '1'.repeat(32), address: { host: '10.0.0.1', port: 4_484 } };
  readonly #world: { readonly clock: Clock; readonly random: Random };
  readonly #calls: Calls[] = [];
  readonly #serverCalls: Calls;
  #closeDoor: Stop = () => undefined;
  /** Done once, when the door has judged a write and before the store has it. */
  beforeWrite: (() => Promise<unknown>) | undefined;
  store: MemoryStore;

  constructor(world: { readonly clock: Clock; readonly random: Random }) {
    this.#world = world;
    this.network = new MemoryStreams(world.clock, world.random);
    this.network.faults = { delayMs: 0, meanMs: 0, reset: 0, bytesPerMs: Infinity };
    this.#serverCalls = this.#open(this.server, 'n1', 'server');
    this.store = createMemoryStore(world);
    this.#openDoor();
  }

  #open({ id, address }: Peer, name: string, role: NodeRole): Calls {
    const link = this.network.open({ id, name, role }, address);
    const calls = createCalls({ self: { id, name, role, boot: 1 }, link, ...this.#world });
    this.#calls.push(calls);
    return calls;
  }

  /** The store as the node n<digit> reaches it. */
  node(
    digit: number,
    role: NodeRole,
  ): { readonly store: RemoteStore; readonly calls: Calls; readonly place: string } {
    const peer = { id: `${digit}`.repeat(32), address: { host: `10.0.0.${digit}`, port: 4_484 } };
    const calls = this.#open(peer, `n${digit}`, role);
    const store = new RemoteStore({ calls, clock: this.#world.clock, server: () => this.server });
    return { store, calls, place: `${peer.address.host} ${peer.address.port}` };
  }

  #openDoor(): void {
    this.#closeDoor = openStoreDoor({
      calls: this.#serverCalls,
      store: this.#hooked(),
      // Whether a value may be opened is what is tried here, not how.
      secrets: { open: () => Promise.resolve({ content: 'b3BlbmVk' }) },
      admit: () => Promise.resolve(),
    });
  }

  #hooked(): MemoryStore {
    return new Proxy(this.store, {
      get: (store, op) => {
        const member = Reflect.get(store, op) as unknown;
        if (typeof member !== 'function') return member;
        if (op !== 'txn') return member.bind(store) as unknown;
        return async (...args: Parameters<MemoryStore['txn']>) => {
          const hook = this.beforeWrite;
          this.beforeWrite = undefined;
          await hook?.();
          return store.txn(...args);
        };
      },
    });
  }

  /** As when the server's process ends and starts anew: what was durable is there. */
  async restart(): Promise<void> {
    this.#closeDoor();
    await this.store.close();
    this.store = createMemoryStore({ ...this.#world, image: this.store.image() });
    this.#openDoor();
  }

  async close(): Promise<void> {
    this.#closeDoor();
    await this.store.close();
    for (const calls of this.#calls) await calls.close();
  }
}
