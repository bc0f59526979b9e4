/**
 * The server's side: its store holds the cluster, its port lets nodes in, answers their store, renews what they have and
 * tells them of new keys.
 */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { renewRequest, type Issued, type ServerPlace } from '../../../protocols/cluster/join.ts';
import { isGone } from '../../../protocols/cluster/rows.ts';
import { coded, reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { MemberView } from '../../../protocols/membership/views/view.ts';
import type { SecretBox, StateStore } from '../../../protocols/ports.ts';
import { ringKey } from '../../../transport/secure/key-ring.ts';
import { termOf } from '../../../transport/secure/tls-identity.ts';
import { openStoreDoor } from '../../drivers/store/remote/store-door.ts';
import {
  ensureCluster,
  holdsCluster,
  readAuthority,
  readGossipKeys,
  requireCluster,
  unlessForeign,
  type ClusterPorts,
} from '../cluster-store.ts';
import { readGiven, writeGiven, type Given } from '../given-file.ts';
import type { ClusterHandle } from '../handle.ts';
import { ensureIdentity, type NodeIdentity } from '../identity-file.ts';
import { Admission, issueTo } from '../joining/admission.ts';
import { createJoinDoor } from '../joining/join-door.ts';
import { createJoinToken, listJoinTokens, revokeJoinToken } from '../joining/join-tokens.ts';
import { claimName, listMembers, memberOf } from '../members.ts';
import { rotateGossipKeys } from '../ring.ts';
import { bytesOf, gossipKeysOf, textOf } from './issued.ts';
import { KeySpread } from './key-spread.ts';
import { openParts, seedsOf, type ClusterOptions, type OpenParts, type Parts } from './parts.ts';
import { givenPath, keyPath } from './places.ts';

export interface OpenedCluster {
  readonly handle: ClusterHandle;
  /** Without a farewell. */
  close(): Promise<void>;
}

/** HM-CLUSTER-KEY, HM-CLUSTER-LISTEN, HM-NODE-NAME-TAKEN, HM-SECRET-KEY, HM-STORE-…; then nothing is open. */
export async function openServer(
  options: ClusterOptions,
  { store, secrets }: { readonly store: StateStore; readonly secrets: SecretBox },
): Promise<OpenedCluster> {
  const { clock, random, folder, name, files, certificateMs } = options;
  const ports: ClusterPorts = {
    ...{ store, secrets, random, now: () => clock.now() },
    ...(certificateMs === undefined ? {} : { certificateMs }),
  };
  const identity = await ensureIdentity(files, random, keyPath(folder));
  const before = await givenBefore(options, identity);
  const isOwn = before === undefined || (await holdsCluster(ports, before.label));
  const members = await listMembers(ports);
  const given = isOwn ? await givenToServer(options, ports, { identity, before }) : before;
  if (isOwn) await claimOwnName(options, ports, given);
  const place: ServerPlace = { id: identity.id, name, address: given.address };
  const others = members.filter(({ id }) => id !== identity.id).map(({ address }) => address);
  const parts = await openParts({
    cluster: options,
    identity,
    given: { ...given, seeds: others.slice(0, limits.clusterSeeds) },
    server: () => place,
    renew: async () => {
      await requireCluster(ports, given.label);
      const authority = await readAuthority(ports);
      const key = createPublicKey(identity.key);
      const { issued } = await issueTo(ports, authority, { name, role: 'server', key });
      const renewed = { ...issued, gossipKeys: parts.care.issued.gossipKeys };
      await claimOwnName(options, ports, { ...given, issued: renewed });
      return renewed;
    },
    prepare: (open) => serveNodes(options, ports, place, open),
  });
  parts.care.start();
  return {
    handle: handleOf(ports, place, parts, options.debug),
    close: () => parts.close(),
  };
}

/** What it had before as the server of that name, where it is now. */
async function givenBefore(
  { settings, folder, name, files }: ClusterOptions,
  identity: NodeIdentity,
): Promise<Given | undefined> {
  const before = await readGiven(files, givenPath(folder), identity);
  if (before?.name !== name || before.role !== 'server') return undefined;
  const { clusterAddress: address, zone = '' } = settings;
  return { ...before, address, zone, server: { id: identity.id, name, address } };
}

/** What it had before, if that is still good; else made now, with the authority's key out of the store. */
async function givenToServer(
  { settings, folder, name, clock, files }: ClusterOptions,
  ports: ClusterPorts,
  { identity, before }: { readonly identity: NodeIdentity; readonly before: Given | undefined },
): Promise<Given> {
  const { label } = await ensureCluster(ports);
  const { clusterAddress: address, zone = '' } = settings;
  const path = givenPath(folder);
  const place = { id: identity.id, name, address };
  const now = { name, role: 'server', address, zone, server: place } as const;
  if (before) {
    const [, until] = termOf(new X509Certificate(before.issued.certificate));
    if (clock.now() < until) return { ...before, issued: await withNewestKeys(ports, before.issued) };
  }
  const key = createPublicKey(identity.key);
  const gossipKeys = before
    ? (await withNewestKeys(ports, before.issued)).gossipKeys
    : (await readGossipKeys(ports)).map(({ secret }) => textOf(secret));
  const { issued } = await issueTo(ports, await readAuthority(ports), { name, role: 'server', key });
  const given: Given = { ...now, label, issued: { ...issued, gossipKeys }, seeds: [] };
  await writeGiven(files, path, given);
  return given;
}

/**
 * An exchange may have broken off one step before what the store says, or the store is one of before an exchange: what this
 * node sends with is understood by all others in both cases. Without the key that opens them those it had serve on.
 */
async function withNewestKeys(ports: ClusterPorts, issued: Issued): Promise<Issued> {
  try {
    const ring = (await readGossipKeys(ports)).map(({ secret }) => textOf(secret));
    const isSame = ring[0] === issued.gossipKeys[0];
    return { ...issued, gossipKeys: isSame ? ring : [...new Set([...issued.gossipKeys, ...ring])] };
  } catch (thrown) {
    if (reasonOf(thrown).code !== 'HM-SECRET-KEY') throw thrown;
    return issued;
  }
}

/**
 * Its own name, also with another key than the last time: the store says who the server is, and no other can be. A name is
 * anybody's whose certificate has ended: each renewal claims it anew. What a store that was restored from an older copy says
 * of this node stays until that is confirmed.
 */
async function claimOwnName({ settings }: ClusterOptions, ports: ClusterPorts, given: Given): Promise<void> {
  const { name, address, zone, server, issued } = given;
  const members = await listMembers(ports);
  const servers = new Set(members.filter(({ role }) => role === 'server').map(({ id }) => id));
  const [, notAfter] = termOf(new X509Certificate(issued.certificate));
  const former = members.find(({ id }) => id === server.id);
  const { labels } = settings;
  const record = { name, id: server.id, role: 'server', address, zone, labels, notAfter } as const;
  await claimName(ports, {
    record,
    ...(former === undefined ? {} : { joinedAt: former.joinedAt }),
    gone: ({ id }) => servers.has(id),
  }).catch(unlessForeign);
}

/** Everything that other nodes may ask of this one. */
function serveNodes(
  { clock, debug }: ClusterOptions,
  ports: ClusterPorts,
  server: ServerPlace,
  { self, onJoin, calls, care, membership }: OpenParts,
): void {
  const { label } = self;
  const members = (): readonly MemberView[] => membership()?.members() ?? [];
  const since = clock.monotonicMs();
  const admission = new Admission({
    ports,
    label,
    server,
    gone: (other) => {
      const known = members().find(({ id }) => id === other.id);
      return isGone(known?.status, other, { now: ports.now(), listeningMs: clock.monotonicMs() - since });
    },
    peers: () => seedsOf(membership(), []),
    gossipKeys: () => care.issued.gossipKeys,
  });
  const failed = (thrown: unknown): void => debug(`a request to join failed: ${reasonOf(thrown).message}`);
  onJoin(createJoinDoor({ clock, join: (request) => admission.join(request), failed }));
  openStoreDoor({ calls, ...ports, admit: (from) => memberOf(ports, label, from) });
  calls.on('join.renew', async (from, body) => {
    const request = renewRequest.safeParse(body);
    if (!request.success) throw coded('HM-PEER-MESSAGE', 'join.renew is not in form');
    return admission.renew(from, request.data);
  });
  calls.on('join.leave', async (from) => {
    await admission.leave(from);
    return {};
  });
  calls.on('ring.get', async (from) => {
    await memberOf(ports, label, from);
    return { keys: gossipKeysOf(care.issued) };
  });
}

function handleOf(
  ports: ClusterPorts,
  place: ServerPlace,
  parts: Parts,
  debug: ClusterOptions['debug'],
): ClusterHandle {
  const { self, calls, membership, care } = parts;
  const { spread } = new KeySpread(ports, parts, debug);
  const inOwn = async <Value>(change: () => Promise<Value>): Promise<Value> => {
    await requireCluster(ports, self.label);
    return change();
  };
  return {
    self,
    calls,
    membership,
    notary: care.notary,
    server: () => place,
    care: {
      certificate: () => care.view(),
      gossipKeys: () => care.issued.gossipKeys.map((key) => ringKey(bytesOf(key)).name),
      onEvent: (notify) => parts.onEvent(notify),
      createToken: (wish) => inOwn(() => createJoinToken(ports, wish)),
      listTokens: () => listJoinTokens(ports),
      revokeToken: (id) => inOwn(() => revokeJoinToken(ports, id)),
      rotateKeys: () => inOwn(() => rotateGossipKeys(ports, spread)),
      leave: () =>
        Promise.reject(
          coded(
            'HM-CLUSTER-ROLE',
            'the only server cannot leave: its store is the cluster',
            {},
            'Let the agents leave first; then start it without --cluster-address.',
          ),
        ),
      left: new Promise(() => undefined),
    },
  };
}
