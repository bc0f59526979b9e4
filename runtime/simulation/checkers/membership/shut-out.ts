/** Whose datagrams nobody need understand, nor it theirs: it has not the keys of the gossip. */
import type { ClusterRecord, GossipRing, MemberRecord } from '../../../../protocols/cluster/rows.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { MemberView } from '../../../../protocols/membership/views/view.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import type { ClusterSight, NodeSight } from '../checker.ts';

/** Keys that a node was not told it asks for when it cannot read what comes, and then again, half a minute later at most. */
const askedAgainMs = 35_000;

/** So far that connections are refused. */
export const isFarOff = ({ clockOffMs }: NodeSight): boolean =>
  Math.abs(clockOffMs()) > limits.clusterSkewMs / 2;

/** Whether one of the two is: then the one need not understand what the other sends. */
export const isEitherShutOut = (sight: ClusterSight, at: NodeSight, { name, id }: MemberView): boolean =>
  isShutOut(sight, at.node, at.identity()) || isShutOut(sight, name, id);

/**
 * Where nodes join: who is not in the registry any more, or cannot speak to the server, is told no new keys of the
 * gossip. By the clock of either of the two, if that is far off.
 */
function isShutOut(sight: ClusterSight, name: string, id: string | undefined): boolean {
  const idOf = (node: string) => (sight.rows.get(keys.member(node)) as MemberRecord | undefined)?.id;
  if (!sight.nodes.some(({ node }) => idOf(node) !== undefined)) return false;
  const node = sight.nodes.find((one) => one.node === name);
  if (node === undefined) return idOf(name) !== id;
  const isWrong = (one: NodeSight): boolean =>
    isFarOff(one) || sight.nowMs() - one.clockSetMs() <= askedAgainMs;
  return idOf(name) !== id || isWrong(node) || (isExchanged(sight) && isWrong(sight.nodes[0]!));
}

/** Whether the gossip has another key than in the beginning. */
function isExchanged({ rows }: ClusterSight): boolean {
  const { changedAt } = (rows.get(keys.gossipRing) ?? {}) as Partial<GossipRing>;
  return changedAt !== (rows.get(keys.cluster) as Partial<ClusterRecord> | undefined)?.createdAt;
}
