/** Nodes and the cluster they make: one of them, for now. Facts are measured when they are asked for. */
import { z } from '@hono/zod-openapi';
import { coded, reasonOf } from '../../../../protocols/errors.ts';
import type { Call } from '../../../../protocols/ports.ts';
import { paths } from '../../../../protocols/wire/paths.ts';
import type { NodeHandle } from '../../../node-handle.ts';
import { listRoute } from '../../lists/list-route.ts';
import { jsonRoute } from '../../route.ts';
import { clusterView, nodeView, type NodeView } from '../../schemas/resources.ts';
import { observedSlots } from '../containers.ts';

async function nodeOf(node: NodeHandle, call: Call): Promise<NodeView> {
  const { name, version, boot, startedAt } = node;
  const [machine, slots, runtime] = await Promise.all([
    node.machine(),
    observedSlots(node),
    node.ports.containers.info({}, call).then(
      ({ cdi: _cdi, ...info }) => ({ runtime: info }),
      (thrown: unknown) => ({ reason: reasonOf(thrown) }),
    ),
  ]);
  const running = slots.filter(({ phase }) => phase === 'running').length;
  const leader = node.actors.show(paths.apps) !== undefined;
  const who = { name, state: 'alive', role: 'server', leader, version, boot, startedAt } as const;
  return { ...who, slots: slots.length, running, machine, ...runtime };
}

const list = listRoute({
  id: 'listNodes',
  path: '/v1/nodes',
  summary: 'The nodes of the cluster, with their machines',
  name: 'nodes',
  row: nodeView,
  key: ({ name }) => name,
  rows: async ({ node, call }) => [await nodeOf(node, call)],
});

const show = jsonRoute({
  id: 'getNode',
  method: 'get',
  path: '/v1/nodes/{name}',
  summary: 'One node: its machine, its runtime, what it holds',
  params: z.object({ name: z.string().max(255) }),
  answer: nodeView,
  run: ({ node, params, call }) => {
    if (params.name !== node.name)
      throw coded('HM-NODE-UNKNOWN', `This cluster is the node ${node.name}`, { node: params.name });
    return nodeOf(node, call);
  },
});

const cluster = jsonRoute({
  id: 'getCluster',
  method: 'get',
  path: '/v1/cluster',
  summary: 'The cluster: its nodes, its leader, its store',
  answer: clusterView,
  run: async ({ node, call }) => {
    const { identity, position, oldest } = await node.ports.store.status({}, call);
    return {
      nodes: 1,
      leader: node.name,
      failover: false,
      store: {
        id: identity.id,
        epoch: identity.epoch,
        revision: position.revision,
        oldestRevision: oldest.revision,
        phase: node.actors.show(paths.guard)?.phase ?? 'gone',
      },
    };
  },
});

export const clusterRoutes = [list, show, cluster];
