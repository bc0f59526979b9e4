/** Where the APIs of the nodes are, as they told: for answers and refusals that send somebody there. */
import { reachApi, type ApiPlace } from '../../protocols/cluster/api-place.ts';
import type { Reason } from '../../protocols/errors.ts';
import { holderOf } from '../../protocols/membership/views/names.ts';
import type { NodeHandle } from '../node-handle.ts';
import { knownNodes } from './cluster-view.ts';

/** Of whoever has that name now; `host` is where membership has it. */
export async function apiPlaceOf(
  node: NodeHandle,
  { name, host }: Pick<ApiPlace, 'name' | 'host'>,
): Promise<ApiPlace> {
  const told = holderOf(name, await knownNodes(node));
  const apiAddress = told?.records?.facts?.apiAddress;
  return { name, host, ...(apiAddress === undefined ? {} : { apiAddress }) };
}

/** HM-CLUSTER-AGENT comes from parts that know the server's name alone: with where its API is. */
export async function withApiPlace(node: NodeHandle, because: Reason): Promise<Reason> {
  if (because.code !== 'HM-CLUSTER-AGENT' || !node.cluster) return because;
  const { name, address } = node.cluster.server();
  try {
    const place = await apiPlaceOf(node, { name, host: address.host });
    const api = place.apiAddress === undefined ? {} : { api: place.apiAddress };
    return { ...because, hint: reachApi(place), evidence: { ...because.evidence, ...api } };
  } catch {
    // Nobody knows where it is; that the server does it is true all the same.
    return because;
  }
}
