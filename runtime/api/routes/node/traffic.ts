/** What passed between this node and the others since it started, by message type on streams and by kind of packet. */
import type { NodeHandle } from '../../../node-handle.ts';
import { listRoute } from '../../lists/list-route.ts';
import { trafficRow, type TrafficRow } from '../../schemas/nodes.ts';

async function rows({ cluster }: NodeHandle): Promise<readonly TrafficRow[]> {
  if (!cluster) return [];
  const { kinds, news } = await cluster.membership.traffic();
  return [
    ...Object.entries(cluster.calls.traffic()).map(([type, counts]): TrafficRow => ({
      plane: 'stream',
      type,
      ...counts,
    })),
    ...Object.entries(kinds).map(([type, counts]): TrafficRow => {
      const failed = type === 'gossip' ? { failed: news.dropped } : {};
      return { plane: 'datagram', type, ...counts, ...failed };
    }),
  ];
}

export const trafficRoutes = [
  listRoute({
    id: 'listTraffic',
    path: '/v1/cluster/traffic',
    summary: 'What passed between this node and the others since it started, by type',
    name: 'traffic',
    row: trafficRow,
    key: ({ plane, type }) => `${plane} ${type}`,
    rows: ({ node }) => rows(node),
  }),
];
