/** Who is asked to probe in this node's stead: from as many failure domains as there are, and from others than its own first. */
import type { Random } from '../../ports.ts';
import type { NodeId } from '../model.ts';
import { shuffled } from './ring.ts';

export interface Candidate {
  readonly id: NodeId;
  readonly zone: string;
}

/** Up to `count` of the candidates; all of them are looked at, so that none is missed where there are few. */
export function chooseRelays(
  random: Random,
  candidates: readonly Candidate[],
  ownZone: string,
  count: number,
): readonly NodeId[] {
  const byZone = new Map<string, NodeId[]>();
  for (const { id, zone } of shuffled(random, candidates)) {
    const there = byZone.get(zone);
    if (there) there.push(id);
    else byZone.set(zone, [id]);
  }
  const zones = [...byZone]
    .sort(([a], [b]) => Number(a === ownZone) - Number(b === ownZone))
    .map(([, ids]) => ids);
  const chosen: NodeId[] = [];
  for (let row = 0; chosen.length < count && zones.some((ids) => ids.length > row); row++) {
    for (const ids of zones) {
      const id = ids[row];
      if (id !== undefined && chosen.length < count) chosen.push(id);
    }
  }
  return chosen;
}
