/**
 * Nodes that hold membership and nothing else, as real ones hold it: a thread each, UDP on the loopback, signatures and
 * real time. Streams are those in memory: they are the main thread's, and it is one here.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { generateKeyPairSync } from 'node:crypto';
import type { NodeEvent } from '../../../protocols/effects.ts';
import { timesOf, type MembershipTimes } from '../../../protocols/membership/profile.ts';
import type { MemberAddress } from '../../../protocols/membership/model.ts';
import type { GossipKeys, MemberChange } from '../../../protocols/membership/views/view.ts';
import type { MembershipDoor } from '../../../runtime/membership/door.ts';
import { openMembership } from '../../../runtime/membership/worker-life.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { realRandom } from '../../../runtime/world/real-random.ts';
import { createCalls } from '../../../transport/calls/calls.ts';
import { MemoryStreams } from '../../../transport/memory/streams.ts';
import { issueCredential, nodeIdOf, rawKey } from '../../../transport/secure/credentials.ts';
import { gossipKey } from './members.ts';

export interface ThreadNode {
  readonly id: string;
  readonly name: string;
  readonly address: MemberAddress;
  readonly membership: MembershipDoor;
  readonly changes: MemberChange[];
  readonly events: NodeEvent[];
  /** The authority's word on it, once more. */
  credential(): Uint8Array;
  readonly authorities: readonly Uint8Array[];
  close(): Promise<void>;
}

export interface ThreadOptions {
  readonly seeds?: readonly MemberAddress[];
  readonly times?: MembershipTimes;
  readonly keys?: GossipKeys;
  readonly zone?: string;
  /** A free port of the loopback unless given. */
  readonly address?: MemberAddress;
}

export interface ThreadCluster {
  start(name: string, options?: ThreadOptions): Promise<ThreadNode>;
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

export function threadCluster(): ThreadCluster {
  const label = 'test';
  const authority = generateKeyPairSync('ed25519');
  const streams = new MemoryStreams(realClock, realRandom);
  return {
    start: async (name, options = {}) => {
      const { seeds = [], times = timesOf.fast, zone = '' } = options;
      const keys: GossipKeys = options.keys ?? [gossipKey(7)];
      const { privateKey: key, publicKey } = generateKeyPairSync('ed25519');
      const id = nodeIdOf(publicKey);
      const notAfter = Math.floor(realClock.now() / 1_000) + 3_600;
      const credential = () =>
        issueCredential(authority.privateKey, { label, name, key: publicKey, notAfter });
      const authorities = [rawKey(authority.publicKey)];
      const address = options.address ?? { host: '127.0.0.1', port: await freePort() };
      const calls = createCalls({
        self: { id, name, role: 'agent', boot: 1 },
        link: streams.open({ id, name, role: 'agent' }, address),
        clock: realClock,
        random: realRandom,
      });
      const membership = await openMembership({
        clock: realClock,
        random: realRandom,
        start: { self: { id, name, address, zone }, boot: 1, seeds, times },
        secrets: { label, key, credential: credential(), authorities, keys },
        calls,
        raiseBoot: async (above) => above + 1,
      });
      const changes: MemberChange[] = [];
      const events: NodeEvent[] = [];
      membership.onChange((change) => changes.push(change));
      membership.onEvent((event) => events.push(event));
      const close = async (): Promise<void> => {
        await membership.close();
        await calls.close();
      };
      return { id, name, address, membership, changes, events, credential, authorities, close };
    },
  };
}
