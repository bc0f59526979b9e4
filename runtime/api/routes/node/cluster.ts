/** The cluster as a whole; its nodes are in `nodes.ts`. */
import { paths } from '../../../../protocols/wire/paths.ts';
import { jsonRoute } from '../../route.ts';
import { clusterView } from '../../schemas/resources.ts';

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

export const clusterRoutes = [cluster];
