/**
 * The tree of a node as data. Left to right is the order of starting, right to left of stopping. Read it as: what
 * dies together, and who is started anew by whom.
 */
import type { NetworkSettings } from '../../protocols/network/manager.ts';
import type { ChildSpec } from '../../protocols/supervision/child-spec.ts';
import { supervisor, worker } from '../child-spec.ts';
import { workloadTree } from './workload.tree.ts';

export interface TreeSettings {
  readonly node: string;
  readonly network: NetworkSettings;
}

export function nodeTree(settings: TreeSettings): ChildSpec {
  const { node } = settings;
  return supervisor('node', 'one_for_one', [
    supervisor('state', 'rest_for_one', [worker('guard', 'store-guard')]),
    workloadTree(settings),
    // Leads while this node is the only one; an election decides when there are more.
    supervisor('leader', 'rest_for_one', [worker('apps', 'app-manager', { node })]),
    supervisor('edge', 'one_for_one', [worker('registry', 'registry')]),
  ]);
}
