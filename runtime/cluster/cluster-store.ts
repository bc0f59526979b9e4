/**
 * The cluster as the store holds it: its label, its authority, the keys of its gossip. Made once, by the first node; the
 * secrets among them are sealed before they are written, and opened only here.
 */
import { coded, reasonOf } from '../../protocols/errors.ts';
import type { Call, Random, SecretBox, StateStore } from '../../protocols/ports.ts';
import {
  authorityKey,
  gossipKey,
  type ClusterRecord,
  type GossipRing,
} from '../../protocols/cluster/rows.ts';
import type { SealedPlace, SealedValue } from '../../protocols/security/model.ts';
import { keys } from '../../protocols/state/keys.ts';
import type { StoreOp, Txn, TxnResult } from '../../protocols/state/model.ts';
import { keyBytes, ringKey, type RingKey } from '../../transport/secure/key-ring.ts';
import { makeAuthority, type Authority } from './certificates/authority.ts';

/** What everything of this folder works with at a server. */
export interface ClusterPorts {
  readonly store: StateStore;
  readonly secrets: SecretBox;
  readonly random: Random;
  /** Wall time, ms since 1970. */
  now(): number;
  /** How long certificates are good; `limits.certificateMs` unless it is given. */
  readonly certificateMs?: number;
}

let calls = 0;
export const ownCall = (): Call => ({ key: `cluster:${++calls}`, signal: new AbortController().signal });

/** A write with a request id that nobody else draws. */
export function commit({ store, random }: ClusterPorts, txn: Omit<Txn, 'requestId'>): Promise<TxnResult> {
  return store.txn({ requestId: `cluster:${random.hex(16)}`, ...txn }, ownCall());
}

/** The cluster of this store; made when there is none. HM-SECRET-KEY, HM-STORE-…. */
export async function ensureCluster(ports: ClusterPorts): Promise<ClusterRecord> {
  const present = await readRow<ClusterRecord>(ports, keys.cluster);
  if (present) return present.value;
  const label = ports.random.hex(8);
  const now = ports.now();
  const authority = await makeAuthority(ports.random, { label, now });
  const record: ClusterRecord = { label, authority: authority.certificate, createdAt: now };
  const key = newGossipKey(ports.random);
  const ring: GossipRing = { keys: [key.name], changedAt: now };
  await commit(ports, {
    compare: [{ key: keys.cluster, field: 'createRevision', equals: 0 }],
    then: [
      { op: 'put', key: keys.cluster, value: record },
      { op: 'put', key: keys.gossipRing, value: ring },
      await sealedPut(ports, authorityKey, Buffer.from(authority.key)),
      await sealedPut(ports, gossipKey(key.name), key.secret),
    ],
  });
  const row = await readRow<ClusterRecord>(ports, keys.cluster);
  if (!row) throw coded('HM-STORE-CONFLICT', 'the cluster was made, and is gone again');
  return row.value;
}

/**
 * A store that is empty, or of another cluster, in place of a server's own: the node serves on with what it has, writes
 * nothing there, and does not ask it who is a member. Else it would be the server of another cluster, none of its nodes
 * would know it, and those whose names others have there would leave.
 */
export async function holdsCluster(ports: Pick<ClusterPorts, 'store'>, label: string): Promise<boolean> {
  return (await readRow<ClusterRecord>(ports, keys.cluster))?.value.label === label;
}

/** HM-STORE-FOREIGN. */
export async function requireCluster(ports: Pick<ClusterPorts, 'store'>, label: string): Promise<void> {
  if (await holdsCluster(ports, label)) return;
  throw coded(
    'HM-STORE-FOREIGN',
    `the store does not hold the cluster ${label} that its server is of`,
    { cluster: label },
    'Nothing is stopped. Restore the store of this cluster at its server.',
  );
}

/** Where a write may be left undone because the store may not be followed now. */
export function unlessForeign(thrown: unknown): void {
  if (reasonOf(thrown).code !== 'HM-STORE-FOREIGN') throw thrown;
}

/** With its key. HM-SECRET-KEY, HM-SECRET-DAMAGED. */
export async function readAuthority(ports: ClusterPorts): Promise<Authority & { readonly label: string }> {
  const row = await readRow<ClusterRecord>(ports, keys.cluster);
  if (!row) throw coded('HM-CLUSTER-ALONE', 'this store holds no cluster');
  const key = await unsealed(ports, authorityKey);
  return { label: row.value.label, certificate: row.value.authority, key: key.toString('utf8') };
}

/** The keys of the gossip, the first for sending. */
export async function readGossipKeys(ports: ClusterPorts): Promise<readonly RingKey[]> {
  const { names } = await readRing(ports);
  return Promise.all(names.map(async (name) => ringKey(await unsealed(ports, gossipKey(name)))));
}

export async function readRing(ports: ClusterPorts): Promise<{
  readonly names: readonly string[];
  readonly step?: GossipRing['step'];
  readonly modRevision: number;
}> {
  const row = await readRow<GossipRing>(ports, keys.gossipRing);
  if (!row) throw coded('HM-CLUSTER-ALONE', 'this store holds no keys of a gossip');
  const { keys: names, step } = row.value;
  return { names, modRevision: row.modRevision, ...(step === undefined ? {} : { step }) };
}

export function newGossipKey(random: Random): RingKey {
  return ringKey(Uint8Array.from(Buffer.from(random.hex(keyBytes), 'hex')));
}

export async function readRow<Value>(
  { store }: Pick<ClusterPorts, 'store'>,
  key: string,
): Promise<{ readonly value: Value; readonly modRevision: number } | undefined> {
  const { kv } = await store.get({ key }, ownCall());
  return kv && { value: kv.value as Value, modRevision: kv.modRevision };
}

export async function sealedPut(
  { secrets }: ClusterPorts,
  place: SealedPlace,
  content: Uint8Array,
): Promise<StoreOp> {
  const wish = { ...place, content: Buffer.from(content).toString('base64') };
  const { sealed } = await secrets.seal(wish, ownCall());
  return { op: 'put', key: keys.sealed(place.name, place.version), value: sealed };
}

async function unsealed(ports: ClusterPorts, place: SealedPlace): Promise<Buffer> {
  const row = await readRow<SealedValue>(ports, keys.sealed(place.name, place.version));
  if (!row) throw coded('HM-SECRET-UNKNOWN', `there is no value for ${place.name}`, { source: place.name });
  const { content } = await ports.secrets.open({ ...place, sealed: row.value }, ownCall());
  return Buffer.from(content, 'base64');
}
