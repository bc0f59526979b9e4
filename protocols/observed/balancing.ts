/**
 * Which endpoints of a service may be used. Those of a node that is suspected, or says that it hangs, leave load balancing,
 * but never a service's last ones: a suspicion is mostly wrong, and nobody is worse than somebody who may not answer.
 */
import { isLiving, type Condition, type MemberStatus } from '../membership/model.ts';
import type { EndpointRecord } from './endpoints.ts';

/** An endpoint, and how the one who looks sees its node. */
export interface Seen extends Pick<EndpointRecord, 'slot' | 'placement' | 'ready'> {
  readonly status: MemberStatus;
  readonly condition: Condition;
}

/**
 * Of the endpoints of one service those to use, in their order; empty only when none is ready on a node that may live. A
 * node that is `away` has announced its return, and its containers go on meanwhile.
 */
export function usable<Endpoint extends Seen>(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const living = endpoints.filter((endpoint) => endpoint.ready && isLiving(endpoint));
  const well = living.filter(({ status, condition }) => status === 'alive' && condition !== 'stalled');
  return newest(well.length > 0 ? well : living);
}

/** Where two nodes tell of one slot, that of the later placement: the other one is to go. */
function newest<Endpoint extends Seen>(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const placements = new Map<string, number>();
  for (const { slot, placement } of endpoints)
    placements.set(slot, Math.max(placement, placements.get(slot) ?? 0));
  return endpoints.filter(({ slot, placement }) => placements.get(slot) === placement);
}
