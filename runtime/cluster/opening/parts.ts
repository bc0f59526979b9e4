/**
 * What every node of a cluster stands on, server or agent: its connections, its certificate, its membership. Opened in
 * this order, closed in the other.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Issued, ServerPlace } from '../../../protocols/cluster/join.ts';
import type { NodeEvent } from '../../../protocols/effects.ts';
import { limits } from '../../../protocols/limits.ts';
import type { MemberAddress } from '../../../protocols/membership/model.ts';
import { timesOf, type MembershipTimes, type NetworkKind } from '../../../protocols/membership/profile.ts';
import type { Membership } from '../../../protocols/membership/views/port.ts';
import type { Clock, Journal, Random, Stop } from '../../../protocols/ports.ts';
import type { Calls } from '../../../protocols/wire/calls.ts';
import { createCalls } from '../../../transport/calls/calls.ts';
import type { StreamIdentity, StreamLink } from '../../../transport/stream-link.ts';
import type { TlsIdentity } from '../../../transport/secure/tls-identity.ts';
import { raiseBoot } from '../../boots.ts';
import type { OpenMembershipOptions } from '../../membership/worker-life.ts';
import { CertificateCare } from '../certificates/certificate-care.ts';
import { writeGiven, type Given } from '../given-file.ts';
import type { ClusterSelf } from '../handle.ts';
import type { NodeIdentity } from '../identity-file.ts';
import type { ReachDoor } from '../joining/join-client.ts';
import type { JoinDoor } from '../joining/join-door.ts';
import type { ClusterFiles } from '../secret-file.ts';
import { credentialsOf, gossipKeysOf } from './issued.ts';
import { givenPath } from './places.ts';

/** What `hivemind-node` is told of its cluster. */
export interface ClusterSettings {
  readonly clusterAddress: MemberAddress;
  readonly join?: readonly MemberAddress[];
  readonly tokenFile?: string;
  readonly role: 'auto' | 'server' | 'agent';
  readonly zone?: string;
  readonly membershipProfile: NetworkKind;
  readonly membershipTimes?: Partial<MembershipTimes>;
  readonly labels: Readonly<Record<string, string>>;
}

/** In a thread of its own, or in simulation beside the rest. */
export type OpenMembership = (options: OpenMembershipOptions) => Promise<Membership>;

/** The connections of a node that shows its certificate, and its door for those who have none. */
export interface ClusterLink {
  readonly link: StreamLink;
  onJoin(door: JoinDoor): void;
  /** It shows another certificate from now on. */
  renew(): void;
}

export interface ClusterLinkOptions {
  readonly self: StreamIdentity;
  readonly address: MemberAddress;
  /** What this node shows and whom it trusts, now. */
  readonly tls: () => TlsIdentity;
  readonly clock: Clock;
}

/** What stands between the cluster's code and the machine: real and simulated. */
export interface ClusterMeans {
  readonly files: ClusterFiles;
  /** HM-CLUSTER-LISTEN. */
  readonly openLink: (options: ClusterLinkOptions) => Promise<ClusterLink>;
  readonly reachDoor: ReachDoor;
  readonly openMembership: OpenMembership;
}

export interface ClusterOptions extends ClusterMeans {
  /** Where the node keeps its key and what the cluster gave it. */
  readonly folder: string;
  readonly name: string;
  readonly settings: ClusterSettings;
  readonly boot: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
  /** How long certificates are good that this node gives, at a server; `limits.certificateMs` unless it is given. */
  readonly certificateMs?: number;
  /** What is normal, and yet worth a line to who looks closely. */
  readonly debug: (text: string) => void;
  /** What keeps the node waiting. */
  readonly waiting: (text: string) => void;
}

export interface PartsOptions {
  readonly cluster: ClusterOptions;
  readonly identity: NodeIdentity;
  readonly given: Given;
  /** Whose store it is, now. */
  readonly server: () => ServerPlace;
  /** Asks for a certificate by a request. */
  readonly renew: (request: string, calls: Calls) => Promise<Issued>;
  /** Handlers, before anybody can be heard. */
  readonly prepare: (parts: OpenParts) => void;
}

/** Until `membership` is there nobody asks for it: it is set before the first call is answered. */
export interface OpenParts {
  readonly self: ClusterSelf;
  readonly onJoin: ClusterLink['onJoin'];
  readonly calls: Calls;
  readonly care: CertificateCare;
  readonly membership: () => Membership | undefined;
  readonly tell: (event: NodeEvent) => void;
}

export interface Parts extends Omit<OpenParts, 'membership' | 'onJoin'> {
  readonly membership: Membership;
  onEvent(notify: (event: NodeEvent) => void): Stop;
  close(): Promise<void>;
}

/** HM-CLUSTER-LISTEN, HM-CLUSTER-KEY; then nothing is open. */
export async function openParts(options: PartsOptions): Promise<Parts> {
  const { cluster, identity, given, server, renew } = options;
  const { clock, random, boot, folder, files } = cluster;
  const { name, role, label, address, zone } = given;
  const self: ClusterSelf = { id: identity.id, name, role, address, zone, label };
  const events = new Told();
  const tell = (event: NodeEvent): void => events.tell(event);
  let membership: Membership | undefined;
  let opening: Promise<Membership> | undefined;
  let calls: Calls | undefined;
  let open: ClusterLink | undefined;
  let used = given.issued;
  const care = new CertificateCare({
    identity,
    name,
    label,
    issued: given.issued,
    clock,
    random,
    renew: (request) => renew(request, calls!),
    renewed: async (issued) => {
      // In use first: others go on without the old keys when they hear that this node has them, disk or no disk.
      const running = await opening;
      if (issued !== used) {
        open?.renew();
        running?.renew(credentialsOf(issued));
        if (String(used.gossipKeys) !== String(issued.gossipKeys)) running?.rotate(gossipKeysOf(issued));
        used = issued;
      }
      const seeds = seedsOf(membership, given.seeds);
      await writeGiven(files, givenPath(folder), { ...given, issued, server: server(), seeds });
    },
    tell,
  });
  try {
    const shown: ClusterLink = await cluster.openLink({ self, address, tls: () => care.tls(), clock });
    open = shown;
    const { link } = shown;
    calls = createCalls({ self: { id: identity.id, name, role, boot }, link, clock, random });
    const onJoin: ClusterLink['onJoin'] = (door) => shown.onJoin(door);
    options.prepare({ self, onJoin, calls, care, membership: () => membership, tell });
    const { join = [], membershipProfile, membershipTimes } = cluster.settings;
    const seeds = await resolved([...join, server().address, ...given.seeds], address);
    used = care.issued;
    opening = cluster.openMembership({
      clock,
      random,
      start: { self, boot, seeds, times: { ...timesOf[membershipProfile], ...membershipTimes } },
      secrets: { label, key: identity.key, ...credentialsOf(used), keys: gossipKeysOf(used) },
      calls,
      raiseBoot: (above) => raiseBoot(cluster.journal, above),
    });
    membership = await opening;
  } catch (thrown) {
    await (calls ?? open?.link)?.close();
    throw thrown;
  }
  const parts = { self, calls, care, membership, tell };
  return { ...parts, onEvent: (notify) => events.listen(notify), close: () => closeParts(parts) };
}

async function closeParts({ care, membership, calls }: Pick<Parts, 'care' | 'membership' | 'calls'>) {
  void care.stop();
  await membership.close();
  await calls.close();
}

/** Where members are, for the next start; what was known before when nobody is seen. */
export function seedsOf(
  membership: Membership | undefined,
  before: readonly MemberAddress[],
): MemberAddress[] {
  const seen = (membership?.members() ?? [])
    .filter(({ self, status }) => !self && status !== 'left')
    .map(({ address: { host, port } }) => ({ host, port }));
  return (seen.length > 0 ? seen : [...before]).slice(0, limits.clusterSeeds);
}

/** Names become addresses; who cannot be looked up now is left out, and oneself. */
async function resolved(seeds: readonly MemberAddress[], own: MemberAddress): Promise<MemberAddress[]> {
  const found = new Map<string, MemberAddress>();
  for (const { host, port } of seeds) {
    const ip = isIP(host)
      ? host
      : await lookup(host).then(
          ({ address }) => address,
          () => undefined,
        );
    if (ip !== undefined && !(ip === own.host && port === own.port))
      found.set(`${ip} ${port}`, { host: ip, port });
  }
  return [...found.values()].slice(0, limits.clusterSeeds);
}

/** Events before the first listener wait for it. */
class Told {
  #waiting: NodeEvent[] = [];
  readonly #listeners = new Set<(event: NodeEvent) => void>();

  tell(event: NodeEvent): void {
    if (this.#listeners.size === 0) this.#waiting.push(event);
    for (const notify of this.#listeners) notify(event);
  }

  listen(notify: (event: NodeEvent) => void): Stop {
    this.#listeners.add(notify);
    for (const event of this.#waiting.splice(0)) notify(event);
    return () => this.#listeners.delete(notify);
  }
}
