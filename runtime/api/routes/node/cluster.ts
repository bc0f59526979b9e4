/** The cluster as a whole; its nodes are in `nodes.ts`. */
import type { MemberAddress } from '../../../../protocols/membership/model.ts';
import { paths } from '../../../../protocols/wire/paths.ts';
import type { NodeHandle } from '../../../node-handle.ts';
import { jsonRoute } from '../../route.ts';
import { clusterView } from '../../schemas/resources.ts';

/** This node's place among the others; nothing when it is alone. */
function placeOf({ cluster: handle }: NodeHandle) {
  if (!handle) return undefined;
  const { label, address, ...self } = handle.self;
  const members = { alive: 0, suspected: 0, dead: 0, left: 0 };
  for (const { status } of handle.membership.members()) members[status] += 1;
  const { name, address: where } = handle.server();
  const { care } = handle;
  return {
    ...self,
    label,
    address: addressText(address),
    server: { name, address: addressText(where) },
    members,
    ...(care ? { certificate: care.certificate(), gossipKeys: care.gossipKeys() } : {}),
  };
}

const addressText = ({ host, port }: MemberAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

const cluster = jsonRoute({
  id: 'getCluster',
  method: 'get',
  path: '/v1/cluster',
  summary: 'The cluster: its nodes, its leader, its store',
  answer: clusterView,
  run: async ({ node, call }) => {
    const { identity, position, oldest } = await node.ports.store.status({}, call);
    const place = placeOf(node);
    return {
      ...(place ? { place } : {}),
      nodes: place ? place.members.alive + place.members.suspected : 1,
      leader: place?.server.name ?? node.name,
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
