/**
 * A node's share of its cluster as it comes by it for real: it joins through the door with a token, keeps its key and what
 * it is given on its disk, renews its certificate. All of that is the product's own code; simulated are the wires, the
 * disk and the time, and the authority's keys come from the seed.
 */
import { coded, reason, reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { MemberAddress, NodeId } from '../../../protocols/membership/model.ts';
import type { GossipKeys } from '../../../protocols/membership/views/view.ts';
import type { Journal, SecretBox, StateStore } from '../../../protocols/ports.ts';
import { openProvenLink, certificatesIn, reachStranger } from '../../../transport/memory/proven-streams.ts';
import { placeOf } from '../../../transport/memory/memory-link.ts';
import type { StreamConnection } from '../../../transport/stream-link.ts';
import { openAgent } from '../../cluster/opening/agent.ts';
import type { ClusterLink, ClusterOptions, OpenMembership } from '../../cluster/opening/parts.ts';
import { openServer } from '../../cluster/opening/server.ts';
import type { ReachDoor } from '../../cluster/joining/join-client.ts';
import type { JoinDoor } from '../../cluster/joining/join-door.ts';
import type { Disk } from '../../drivers/journal/disk.ts';
import { MembershipDoor } from '../../membership/door.ts';
import { renewableNotary } from '../../membership/host/renewable-notary.ts';
import { MembershipStreams } from '../../membership/streams.ts';
import { filesOn } from './disk-files.ts';
import {
  abandoned,
  beginOf,
  heardOn,
  onThread,
  type ClusterOptions as Around,
  type LifeThread,
  type SimulatedCluster,
} from './simulated-cluster.ts';

export const clusterFolder = '/data/cluster';
export const tokenPath = '/data/token';

export interface JoinedOptions extends Pick<
  Around,
  | 'hub'
  | 'times'
  | 'cipher'
  | 'main'
  | 'membership'
  | 'random'
  | 'raiseBoot'
  | 'onFrame'
  | 'onSaid'
  | 'onLink'
> {
  readonly name: string;
  readonly boot: number;
  readonly address: MemberAddress;
  /** Where it asks to be let in. */
  readonly seeds: readonly MemberAddress[];
  /** At the first server: its store, and what seals in it. */
  readonly offered: { readonly store: StateStore; readonly secrets: SecretBox } | undefined;
  readonly disk: Disk;
  readonly journal: Journal;
  readonly certificateMs: number;
  /** With what it speaks to the others from now on. */
  onGossip(id: NodeId, label: string, keys: GossipKeys): void;
  /** Its door was asked, or is about to answer; whether it goes on. */
  onDoor(stage: DoorStage): boolean;
}

export type DoorStage = 'asked' | 'answered';

/** Rejects as a daemon's start does. */
export async function openJoinedCluster(options: JoinedOptions): Promise<SimulatedCluster> {
  const { name, address, seeds, offered, boot, journal, main, random, disk, certificateMs } = options;
  const open: ClusterOptions = {
    ...{ folder: clusterFolder, name, boot, journal, clock: main.clock, random, certificateMs },
    settings: {
      clusterAddress: address,
      role: offered ? 'server' : 'auto',
      // Not used: the world's times are.
      membershipProfile: 'lan',
      labels: {},
      ...(offered ? {} : { join: seeds, tokenFile: tokenPath }),
    },
    files: filesOn(disk),
    openLink: async (wish) => linkOf(options, wish),
    reachDoor: reachFrom(options),
    openMembership: membershipOf(options),
    debug: () => {},
    waiting: () => {},
  };
  return offered ? openServer(open, offered) : openAgent(open);
}

function linkOf(
  { hub, main, onDoor }: JoinedOptions,
  wish: Parameters<ClusterOptions['openLink']>[0],
): ClusterLink {
  const link = openProvenLink(hub.streams, wish);
  return {
    link: onThread(link, main),
    onJoin: (door) =>
      link.onStranger((connection, from) =>
        answer({ door, onDoor, client: from.split(' ')[0]! }, heardOn(connection, main)),
      ),
    // What is shown is asked for at each connection.
    renew: () => {},
  };
}

/** One question, as a request over HTTP is. */
interface Asked {
  readonly method: string;
  readonly body: object | undefined;
}

const bytesOf = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));
const valueOf = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString('utf8'));

interface Doorway {
  readonly door: JoinDoor;
  readonly client: string;
  readonly onDoor: JoinedOptions['onDoor'];
}

function answer({ door, client, onDoor }: Doorway, connection: StreamConnection): void {
  const lost = () => connection.close(reason('HM-PEER-UNREACHABLE', 'The connection was reset.'));
  connection.hear({
    frame: (bytes) => {
      const { method, body } = valueOf(bytes) as Asked;
      if (!onDoor('asked')) return lost();
      void door({ method, client, body: () => Promise.resolve(JSON.stringify(body)) }).then((told) => {
        if (onDoor('answered')) connection.send(bytesOf(told));
        else lost();
      });
    },
    drained: () => {},
    ended: () => {},
  });
}

/** As a machine at that address reaches doors. */
export function reachFrom({
  hub,
  main,
  address,
}: Pick<JoinedOptions, 'hub' | 'main' | 'address'>): ReachDoor {
  return async (seed, clock) => {
    const attempt = new AbortController();
    const timer = clock.setTimer(limits.joinMs, () => attempt.abort());
    const to = { to: seed, signal: attempt.signal };
    const reached = await reachStranger(hub.streams, placeOf(address), to).catch((thrown: unknown) => {
      clock.clearTimer(timer);
      if (main.isOver) return new Promise<never>(() => {});
      throw coded('HM-CLUSTER-JOIN', reasonOf(thrown).message);
    });
    if (main.isOver) return abandoned(reached.connection);
    clock.clearTimer(timer);
    const connection = heardOn(reached.connection, main);
    const [leaf, authority] = certificatesIn(reached.shown.certificate);
    return {
      shown: { leaf: leaf?.raw, authority: authority?.raw },
      ask: (body) => ask(connection, { method: body ? 'POST' : 'GET', body }, main),
      close: () => connection.close(reason('HM-PEER-UNREACHABLE', 'It has asked.')),
    };
  };
}

function ask(
  connection: StreamConnection,
  asked: Asked,
  { clock }: LifeThread,
): ReturnType<Awaited<ReturnType<ReachDoor>>['ask']> {
  return new Promise((resolve, reject) => {
    const fail = (what: string): void => {
      clock.clearTimer(timer);
      reject(coded('HM-CLUSTER-JOIN', what));
    };
    const timer = clock.setTimer(limits.joinMs, () => fail('no answer in time'));
    connection.hear({
      frame: (bytes) => {
        clock.clearTimer(timer);
        const { status, body } = valueOf(bytes) as { status: number; body: object };
        resolve({ status, text: JSON.stringify(body) });
      },
      drained: () => {},
      ended: ({ message }) => fail(message),
    });
    connection.send(bytesOf(asked));
  });
}

function membershipOf(options: JoinedOptions): OpenMembership {
  const { hub, cipher, main, membership, address, times, onGossip } = options;
  const { onFrame, onSaid, onLink } = options;
  return ({ clock, random, start, secrets, calls, raiseBoot }) => {
    onGossip(start.self.id, secrets.label, secrets.keys);
    return new MembershipDoor({
      ...{ clock, random, raiseBoot },
      start: { ...start, times },
      begin: beginOf({
        ...{ hub, cipher, main, membership, random, onFrame, onSaid, onLink, address },
        self: start.self,
        label: secrets.label,
        keys: () => secrets.keys,
        notary: renewableNotary(secrets, () => membership.clock.now()),
      }),
      streams: new MembershipStreams(calls, clock, start.self.id),
    }).open();
  };
}
