/** The networks that there are: declared by apps, or stood on by containers. Pure. */
import type { AppSpec } from '../apps/model.ts';
import type { SlotStatus } from '../apps/status.ts';
import { joinedOrOpen, madeBy, openNetwork } from './networks.ts';

export interface NetworkView {
  /** `*` is the open network. */
  readonly id: string;
  /** Who declares it; absent for the open network, and for one whose app is gone. */
  readonly app?: string;
  readonly internal: boolean;
  readonly subnets: readonly string[];
  /** Slots on it, with the address that they show there. */
  readonly members: readonly { readonly slot: string; readonly address: string }[];
}

/** By id. */
export function networksOf(specs: readonly AppSpec[], slots: readonly SlotStatus[]): readonly NetworkView[] {
  const views = new Map<string, NetworkView & { members: { slot: string; address: string }[] }>();
  const viewOf = (id: string) => {
    const known = views.get(id) ?? { id, internal: false, subnets: [], members: [] };
    views.set(id, known);
    return known;
  };
  viewOf(openNetwork);
  for (const spec of specs) {
    for (const { id, spec: network } of madeBy(spec)) {
      if (id === openNetwork || viewOf(id).app !== undefined) continue;
      const own = { app: spec.name, internal: network.internal === true, subnets: network.subnets ?? [] };
      views.set(id, { ...viewOf(id), ...own });
    }
  }
  for (const { slot, address, networks } of slots) {
    if (address === undefined) continue;
    for (const { id, address: fixed } of joinedOrOpen(networks))
      viewOf(id).members.push({ slot, address: fixed ?? address });
  }
  return [...views.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
