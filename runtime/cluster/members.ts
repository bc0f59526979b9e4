/**
 * Who has which name: a row a name, written by compare-and-set. The certificate says a name too, but outlives a loss of
 * it; whoever serves a node looks here first.
 */
import { timeText } from '../../protocols/cluster/clocks.ts';
import { coded } from '../../protocols/errors.ts';
import { placeText } from '../../protocols/membership/actors/telling.ts';
import type { NodeId } from '../../protocols/membership/model.ts';
import { mayTakeName, type MemberRecord } from '../../protocols/cluster/rows.ts';
import { keys } from '../../protocols/state/keys.ts';
import type { Compare, StoreOp } from '../../protocols/state/model.ts';
import { commit, ownCall, readRow, requireCluster, type ClusterPorts } from './cluster-store.ts';

/** How often a claim is made anew when somebody else wrote at the same time. */
const attempts = 5;

export interface Claim {
  readonly record: Omit<MemberRecord, 'joinedAt'>;
  /** As it was; without it the node joins now. */
  readonly joinedAt?: number;
  /** Whether who has the name is gone. */
  readonly gone: (other: MemberRecord) => boolean;
  /** Written with it, or not at all: the use of a token. Asked anew at each attempt; may refuse by throwing. */
  readonly alongside?: () => Promise<{
    readonly compare: readonly Compare[];
    readonly then: readonly StoreOp[];
  }>;
}

/** Makes the name this identity's, and takes from it any other it had. HM-NODE-NAME-TAKEN, HM-STORE-…. */
export async function claimName(
  ports: ClusterPorts,
  { record, joinedAt, gone, alongside }: Claim,
): Promise<void> {
  const { name, id } = record;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const more = (await alongside?.()) ?? { compare: [], then: [] };
    const key = keys.member(name);
    const row = await readRow<MemberRecord>(ports, key);
    if (!mayTakeName(row?.value, id, { now: ports.now(), gone })) {
      const evidence = { node: name, id: row?.value.id ?? '' };
      throw coded('HM-NODE-NAME-TAKEN', `the cluster has a node ${name} with another key`, evidence);
    }
    const others = (await listMembers(ports)).filter((other) => other.id === id && other.name !== name);
    // Of this attempt: who had the name, and wrote its row in between, judges by it whether another joined later.
    const now = Math.max(ports.now(), row?.value.joinedAt ?? 0);
    const value: MemberRecord = { ...record, joinedAt: joinedAt ?? now };
    const { succeeded } = await commit(ports, {
      compare: [{ key, field: 'modRevision', equals: row?.modRevision ?? 0 }, ...more.compare],
      then: [
        { op: 'put', key, value },
        ...others.map((other) => ({ op: 'delete', key: keys.member(other.name) }) as const),
        ...more.then,
      ],
    });
    if (succeeded) return;
  }
  throw coded('HM-STORE-CONFLICT', `the name ${name} is being claimed by others at the same time`);
}

/** Gives the name back; nothing happens when it is another identity's by now. */
export async function releaseName(ports: ClusterPorts, name: string, id: NodeId): Promise<void> {
  const key = keys.member(name);
  const row = await readRow<MemberRecord>(ports, key);
  if (row?.value.id !== id) return;
  await commit(ports, {
    compare: [{ key, field: 'modRevision', equals: row.modRevision }],
    then: [{ op: 'delete', key }],
  });
}

/**
 * The row of a node that proved its identity, in the store of its cluster. HM-STORE-FOREIGN; HM-NODE-NAME-LOST, with who has
 * its name and since when, when that is another one; HM-CLUSTER-CERTIFICATE when nobody has it.
 */
export async function memberOf(
  ports: Pick<ClusterPorts, 'store'>,
  label: string,
  { name, id }: { readonly name: string; readonly id: NodeId },
): Promise<MemberRecord> {
  await requireCluster(ports, label);
  const row = await readRow<MemberRecord>(ports, keys.member(name));
  if (row?.value.id === id) return row.value;
  if (!row) {
    const text = `the node ${name} is no member of the cluster any more: it has left`;
    throw coded('HM-CLUSTER-CERTIFICATE', text, { node: name, id });
  }
  const { id: holder, address, joinedAt } = row.value;
  throw coded(
    'HM-NODE-NAME-LOST',
    `the name ${name} is another node's, ${holder} at ${placeText(address)}, which joined ${timeText(joinedAt)}`,
    { node: name, id, holder, joinedAt },
  );
}

export async function listMembers({ store }: Pick<ClusterPorts, 'store'>): Promise<readonly MemberRecord[]> {
  const { kvs } = await store.list({ prefix: keys.members }, ownCall());
  return kvs.map(({ value }) => value as MemberRecord);
}
