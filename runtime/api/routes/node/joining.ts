/** How nodes come into the cluster and out of it: join tokens, the key of the gossip, leaving. */
import { z } from '@hono/zod-openapi';
import { noJoinToken } from '../../../../protocols/cluster/token.ts';
import { coded } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { ClusterCare } from '../../../cluster/handle.ts';
import type { NodeHandle } from '../../../node-handle.ts';
import { listRoute } from '../../lists/list-route.ts';
import { jsonRoute } from '../../route.ts';
import { joinTokenMade, joinTokenView } from '../../schemas/resources.ts';
import { observedSlots } from '../containers.ts';

function careOf({ cluster }: NodeHandle): ClusterCare {
  if (!cluster?.care) throw coded('HM-CLUSTER-ALONE');
  return cluster.care;
}

const list = listRoute({
  id: 'listJoinTokens',
  path: '/v1/cluster/join-tokens',
  summary: 'Join tokens without their secret',
  name: 'tokens',
  row: joinTokenView,
  key: ({ id }) => id,
  scope: 'admin',
  rows: ({ node }) => careOf(node).listTokens(),
});

const create = jsonRoute({
  id: 'createJoinToken',
  method: 'post',
  path: '/v1/cluster/join-tokens',
  summary: 'Make a join token: the answer holds it, nothing else ever does',
  scope: 'admin',
  body: z.strictObject({
    ttlS: z.exactOptional(
      z
        .int()
        .min(1)
        .max(limits.joinTokenMostMs / 1_000),
    ),
    uses: z.exactOptional(z.int().min(1).max(limits.joinTokenUses)),
  }),
  answer: joinTokenMade,
  run: ({ node, body: { ttlS, uses = 1 } }) =>
    careOf(node).createToken({ ttlMs: ttlS === undefined ? limits.joinTokenMs : ttlS * 1_000, uses }),
});

const revoke = jsonRoute({
  id: 'revokeJoinToken',
  method: 'delete',
  path: '/v1/cluster/join-tokens/{id}',
  summary: 'Revoke a join token: it ends at once',
  scope: 'admin',
  params: z.object({ id: z.string().max(64) }),
  answer: z.strictObject({}),
  run: async ({ node, params }) => {
    // A node alone has none.
    if (!node.cluster?.care) throw noJoinToken(params.id);
    await node.cluster.care.revokeToken(params.id);
    return {};
  },
});

const rotate = jsonRoute({
  id: 'rotateGossipKeys',
  method: 'post',
  path: '/v1/cluster/rotate',
  summary: 'Exchange the key of the gossip, everywhere, without losing a packet',
  scope: 'admin',
  answer: z.strictObject({
    gossipKeys: z.array(z.string()).readonly(),
    /** Names of nodes that live and are not in the registry: they were told no key. */
    leftOut: z.array(z.string()).readonly(),
  }),
  run: async ({ node }) => {
    const care = careOf(node);
    const leftOut = await care.rotateKeys();
    return { gossipKeys: care.gossipKeys(), leftOut };
  },
});

const leave = jsonRoute({
  id: 'leaveCluster',
  method: 'post',
  path: '/v1/cluster/leave',
  summary: 'This node leaves the cluster, and its daemon ends',
  scope: 'admin',
  body: z.strictObject({ force: z.exactOptional(z.boolean()) }),
  answer: z.strictObject({ running: z.int().min(0) }),
  run: async ({ node, body: { force = false } }) => {
    const care = careOf(node);
    const running = (await observedSlots(node)).filter(({ phase }) => phase === 'running').length;
    if (running > 0 && !force)
      throw coded('HM-NODE-SLOTS', `the node ${node.name} runs ${running} slots`, {
        node: node.name,
        running,
      });
    await care.leave();
    return { running };
  },
});

export const joiningRoutes = [list, create, revoke, rotate, leave];
