/** The cluster as a whole; its nodes are in `nodes.ts`. */
import { coded, reasonOf } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { MemberAddress } from '../../../../protocols/membership/model.ts';
import type { Call } from '../../../../protocols/ports.ts';
import { paths } from '../../../../protocols/wire/paths.ts';
import type { NodeHandle } from '../../../node-handle.ts';
import { apiPlaceOf } from '../../../observed/api-places.ts';
import { jsonRoute } from '../../route.ts';
import { clusterView } from '../../schemas/resources.ts';

/** Of a store at another node only that it does not answer: everything else is told all the same. */
async function storeOf({ ports, cluster: handle }: NodeHandle, call: Call) {
  const patience = AbortSignal.timeout(limits.doctorCheckMs);
  const signal = AbortSignal.any([call.signal, patience]);
  try {
    const { identity, position, oldest } = await ports.store.status({}, { ...call, signal });
    const { id, epoch } = identity;
    return { id, epoch, revision: position.revision, oldestRevision: oldest.revision };
  } catch (thrown) {
    if (handle?.self.role !== 'agent') throw thrown;
    if (!patience.aborted) return { reason: reasonOf(thrown) };
    const silent = `${handle.server().name}, which has the store, did not answer for ${limits.doctorCheckMs / 1_000} s.`;
    return { reason: reasonOf(coded('HM-STORE-DOWN', silent)) };
  }
}

/** This node's place among the others; nothing when it is alone. */
async function placeOf(node: NodeHandle) {
  const { cluster: handle } = node;
  if (!handle) return undefined;
  const { label, address, ...self } = handle.self;
  const members = { alive: 0, suspected: 0, dead: 0, left: 0 };
  for (const { status } of handle.membership.members()) members[status] += 1;
  const { name, address: where } = handle.server();
  const { apiAddress } = await apiPlaceOf(node, { name, host: where.host });
  const { care } = handle;
  return {
    ...self,
    label,
    address: addressText(address),
    server: {
      ...{ name, address: addressText(where) },
      ...(apiAddress === undefined ? {} : { apiAddress }),
    },
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
    const place = await placeOf(node);
    return {
      ...(place ? { place } : {}),
      nodes: place ? place.members.alive + place.members.suspected : 1,
      leader: place?.server.name ?? node.name,
      failover: false,
      store: {
        ...(await storeOf(node, call)),
        phase: node.actors.show(paths.guard)?.phase ?? 'gone',
      },
    };
  },
});

export const clusterRoutes = [cluster];
