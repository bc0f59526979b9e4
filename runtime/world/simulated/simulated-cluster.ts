/**
 * A node's share of its cluster in one life: connections to the others, its membership, and the store of the first
 * server, offered there and reached from elsewhere. All of it is what a real node runs; the network, the keys, and who
 * vouches for whom are simulated.
 */
import { reason } from '../../../protocols/errors.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import type { MemberAddress, NodeId } from '../../../protocols/membership/model.ts';
import type { MembershipTimes } from '../../../protocols/membership/profile.ts';
import type { GossipKeys, MemberView } from '../../../protocols/membership/views/view.ts';
import type { Clock, Random, StateStore } from '../../../protocols/ports.ts';
import type { ServerPlace } from '../../../protocols/cluster/join.ts';
import type { Caller, Peer } from '../../../protocols/wire/calls.ts';
import type { StreamConnection, StreamEars, StreamLink } from '../../../transport/stream-link.ts';
import { createCalls } from '../../../transport/calls/calls.ts';
import type { DatagramCounts } from '../../../transport/datagram-link.ts';
import { openMemoryLink, placeOf } from '../../../transport/memory/memory-link.ts';
import type { DatagramCipher } from '../../../transport/secure/datagram-cipher.ts';
import { KeyRing, ringKey } from '../../../transport/secure/key-ring.ts';
import { firstCounterAt, SealedDatagrams } from '../../../transport/secure/sealed-datagrams.ts';
import type { ClusterHandle } from '../../cluster/handle.ts';
import { RemoteStore } from '../../drivers/store/remote/remote-store.ts';
import { openStoreDoor } from '../../drivers/store/remote/store-door.ts';
import { MembershipDoor } from '../../membership/door.ts';
import { MembershipHost, type RenewableNotary } from '../../membership/host/host.ts';
import type { BeginLife } from '../../membership/messages.ts';
import { MembershipStreams } from '../../membership/streams.ts';
import { simulatedNotary } from '../../simulation/membership/notary.ts';
import type { Hub } from './hub.ts';
import { BootClock } from './boot-clock.ts';
import { ThreadClock, type MachineTime } from './node-clock.ts';

export const simulatedLabel = 'simulated';
export const gossipSecret = new Uint8Array(32).fill(7);

/** A thread of one life: what comes from outside waits while it stands still, and meets nobody when the life is over. */
export class LifeThread {
  readonly clock: BootClock;
  readonly thread: ThreadClock;

  constructor(world: Clock, time: MachineTime) {
    this.thread = new ThreadClock(world, time);
    this.clock = new BootClock(this.thread);
  }

  get isOver(): boolean {
    return this.clock.ended;
  }

  arrive(run: () => void): void {
    this.thread.arrive(() => {
      if (!this.clock.ended) run();
    });
  }
}

export interface ClusterOptions {
  readonly self: Caller;
  readonly server: ServerPlace;
  /** At the first server: what it offers to the others. */
  readonly offered: StateStore | undefined;
  readonly hub: Hub;
  readonly times: MembershipTimes;
  readonly cipher: DatagramCipher;
  /** The cluster's, as it is now. */
  readonly keys: () => GossipKeys;
  readonly main: LifeThread;
  readonly membership: LifeThread;
  readonly random: Random;
  raiseBoot(above: number): Promise<number>;
  /** Of the membership's kernel. */
  onFrame(frame: Frame): void;
  /** Its membership has said this of itself; its main thread may hear of it later, or never. */
  onSaid(own: MemberView): void;
  /** What its datagrams are counted in, for as long as the life lasts. */
  onLink(counts: DatagramCounts): void;
}

export interface SimulatedCluster {
  readonly handle: ClusterHandle;
  /** The server's, as an agent reaches it. */
  readonly store?: StateStore;
  close(): Promise<void>;
}

/** As when the process of this place is gone: its connections break, nobody listens there. */
export function vanish(hub: Hub, address: Peer['address']): void {
  hub.streams.vanish(placeOf(address));
}

/** Rejects as membership and connections do. */
export async function openSimulatedCluster(options: ClusterOptions): Promise<SimulatedCluster> {
  const { self, server, offered, hub, main, random, times } = options;
  const address = hub.addressOf(self.name);
  const link = onThread(hub.streams.open(self, address), main);
  const calls = createCalls({ self, link, clock: main.clock, random });
  const closeDoor = offered && openStoreDoor({ calls, store: offered, admit: () => Promise.resolve() });
  const store = offered ? undefined : new RemoteStore({ calls, clock: main.clock, server: () => server });
  const membership = await new MembershipDoor({
    ...{ clock: main.clock, random, raiseBoot: (above: number) => options.raiseBoot(above) },
    start: {
      self: { id: self.id, name: self.name, address, zone: '' },
      ...{ boot: self.boot, seeds: offered ? [] : [server.address], times },
    },
    begin: beginOf({
      ...options,
      ...{ address, label: simulatedLabel },
      notary: { ...simulatedNotary(self.id, self.name), renew: () => {} },
    }),
    streams: new MembershipStreams(calls, main.clock, self.id),
  }).open();
  return {
    handle: {
      self: { id: self.id, name: self.name, role: self.role, address, zone: '', label: simulatedLabel },
      ...{ calls, membership, notary: simulatedNotary(self.id, self.name) },
      server: () => server,
    },
    ...(store ? { store } : {}),
    close: async () => {
      closeDoor?.();
      await store?.close();
      await membership.close();
      await calls.close();
    },
  };
}

export interface SubtreeOptions extends Pick<
  ClusterOptions,
  'hub' | 'cipher' | 'keys' | 'main' | 'membership' | 'random' | 'onFrame' | 'onSaid' | 'onLink'
> {
  readonly self: { readonly id: NodeId };
  readonly address: MemberAddress;
  readonly label: string;
  readonly notary: RenewableNotary;
}

/** A life of the subtree on its own thread: what the two threads say to each other waits for who stands still. */
export function beginOf(options: SubtreeOptions): BeginLife {
  const { self, address, label, notary, hub, cipher, keys, main, membership, random } = options;
  const { onFrame, onSaid, onLink } = options;
  return async (start, hear, ended) => {
    const host = new MembershipHost(
      start,
      {
        ...{ clock: membership.clock, random, onFrame },
        notary,
        openLink: async (boot, receive) => {
          const link = openMemoryLink({
            ...{ network: hub.datagrams, address },
            seal: new SealedDatagrams({
              cipher,
              ring: new KeyRing(keys().map(ringKey)),
              label,
              id: self.id,
              boot,
              firstCounter: firstCounterAt(membership.clock.now()),
            }),
            receive: (datagram) => membership.arrive(() => receive(datagram)),
          });
          onLink(link.counts);
          return link;
        },
        rotate: (opened, next) => opened.rotate(new KeyRing(next.map(ringKey))),
      },
      (message) => {
        if (message.kind === 'viewed' && message.view.self) onSaid(message.view);
        main.arrive(() => hear(message));
      },
      (why) => main.arrive(() => ended(why)),
    );
    try {
      await host.open();
    } catch (thrown) {
      await host.close();
      throw thrown;
    }
    return {
      post: (message) => membership.arrive(() => host.receive(message)),
      close: () => host.close(),
    };
  };
}

/** What comes in over a connection waits while the thread stands still. */
export function heardOn(connection: StreamConnection, thread: LifeThread): StreamConnection {
  const heard = (ears: StreamEars): StreamEars => ({
    frame: (bytes) => thread.arrive(() => ears.frame(bytes)),
    drained: () => thread.arrive(() => ears.drained()),
    ended: (because) => thread.arrive(() => ears.ended(because)),
  });
  return {
    peer: connection.peer,
    hear: (ears) => connection.hear(heard(ears)),
    send: (frame) => connection.send(frame),
    get waiting() {
      return connection.waiting;
    },
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    close: (because) => connection.close(because),
  };
}

/** Its process is gone: the other end sees that at once, and nobody goes on here. */
export function abandoned<Value>(connection: StreamConnection): Promise<Value> {
  connection.hear({ frame: () => {}, drained: () => {}, ended: () => {} });
  connection.close(reason('HM-PEER-UNREACHABLE', 'The process is gone.'));
  return new Promise(() => {});
}

/** All connections of a link. */
export function onThread(link: StreamLink, thread: LifeThread): StreamLink {
  const over = (connection: StreamConnection) => heardOn(connection, thread);
  return {
    address: link.address,
    get counts() {
      return link.counts;
    },
    dial: async (to, signal) => {
      const connection = await link.dial(to, signal);
      return thread.isOver ? abandoned(connection) : over(connection);
    },
    accept: (notify) => link.accept((connection) => notify(over(connection))),
    close: () => link.close(),
  };
}
