/** Join tokens in the store: made, listed, revoked, and judged when a node comes with one. Only hashes are kept. */
import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto';
import { coded, CodedError } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { NodeId } from '../../../protocols/membership/model.ts';
import {
  formatJoinToken,
  joinTokenView,
  noJoinToken,
  tokenReason,
  type JoinTokenRecord,
  type JoinTokenView,
} from '../../../protocols/cluster/token.ts';
import type { ClusterRecord } from '../../../protocols/cluster/rows.ts';
import { keys } from '../../../protocols/state/keys.ts';
import type { Compare, StoreOp } from '../../../protocols/state/model.ts';
import { fingerprintOf } from '../certificates/authority.ts';
import { commit, ownCall, readRow, type ClusterPorts } from '../cluster-store.ts';

const digest = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** The token is answered here and never again. HM-CLUSTER-ALONE, HM-STORE-LIMIT. */
export async function createJoinToken(
  ports: ClusterPorts,
  wish: { readonly ttlMs: number; readonly uses: number },
): Promise<JoinTokenView & { readonly token: string }> {
  const cluster = await readRow<ClusterRecord>(ports, keys.cluster);
  if (!cluster) throw coded('HM-CLUSTER-ALONE');
  const now = ports.now();
  const present = await listRecords(ports);
  const over = present.filter(({ expiresAt }) => expiresAt <= now);
  if (present.length - over.length >= limits.joinTokens)
    throw coded(
      'HM-STORE-LIMIT',
      `There are ${limits.joinTokens} join tokens`,
      { limit: limits.joinTokens },
      'Revoke some: hivemind cluster token ls',
    );
  const id = ports.random.hex(8);
  const secret = ports.random.hex(32);
  const record: JoinTokenRecord = {
    id,
    hash: digest(secret).toString('hex'),
    createdAt: now,
    expiresAt: now + wish.ttlMs,
    uses: wish.uses,
    usedBy: [],
  };
  await commit(ports, {
    compare: [],
    then: [
      { op: 'put', key: keys.joinToken(id), value: record },
      // Those that ended are swept by who makes one: nothing else would.
      ...over.slice(0, limits.storeTxnOps - 1).map((old) => deletion(old.id)),
    ],
  });
  const fingerprint = fingerprintOf(new X509Certificate(cluster.value.authority));
  return { ...joinTokenView(record, now), token: formatJoinToken({ fingerprint, id, secret }) };
}

export async function listJoinTokens(ports: ClusterPorts): Promise<readonly JoinTokenView[]> {
  return (await listRecords(ports)).map((record) => joinTokenView(record, ports.now()));
}

/** HM-TOKEN-UNKNOWN. */
export async function revokeJoinToken(ports: ClusterPorts, id: string): Promise<void> {
  if (!(await readRow(ports, keys.joinToken(id)))) throw noJoinToken(id);
  await commit(ports, { compare: [], then: [deletion(id)] });
}

/** Throws HM-CLUSTER-TOKEN, the same for a token that is not known and for a wrong secret; takes the same time for both. */
export async function judgeJoinToken(
  ports: ClusterPorts,
  { id, secret }: { readonly id: string; readonly secret: string },
): Promise<void> {
  const row = await readRow<JoinTokenRecord>(ports, keys.joinToken(id));
  const wanted = Buffer.from(row?.value.hash ?? digest('').toString('hex'), 'hex');
  if (!timingSafeEqual(digest(secret), wanted) || !row)
    throw coded(
      'HM-CLUSTER-TOKEN',
      'the join token is not known: it is wrong, was revoked, or is of another cluster',
    );
}

/** What is written with the join of a node: the token's use. HM-CLUSTER-TOKEN when it has ended or is spent. */
export async function takeJoinToken(
  ports: ClusterPorts,
  id: string,
  node: NodeId,
): Promise<{ readonly compare: readonly Compare[]; readonly then: readonly StoreOp[] }> {
  const key = keys.joinToken(id);
  const row = await readRow<JoinTokenRecord>(ports, key);
  if (!row) throw coded('HM-CLUSTER-TOKEN', 'the join token was revoked', { token: id });
  const because = tokenReason(row.value, node, ports.now());
  if (because) throw new CodedError(because);
  const usedBy = [...new Set([...row.value.usedBy, node])];
  return {
    compare: [{ key, field: 'modRevision', equals: row.modRevision }],
    then: [{ op: 'put', key, value: { ...row.value, usedBy } }],
  };
}

async function listRecords({ store }: ClusterPorts): Promise<readonly JoinTokenRecord[]> {
  const { kvs } = await store.list({ prefix: keys.joinTokens }, ownCall());
  return kvs.map(({ value }) => value as JoinTokenRecord);
}

const deletion = (id: string): StoreOp => ({ op: 'delete', key: keys.joinToken(id) });
