/**
 * The tree of a node as data. Left to right is the order of starting, right to left of stopping. Read it as: what
 * dies together, and who is started anew by whom.
 */
import type { NetworkSettings } from '../../protocols/network/manager.ts';
import type { ObservedInput } from '../../protocols/observed/steps/value.ts';
import type { ChildSpec } from '../../protocols/supervision/child-spec.ts';
import type { NodeRole } from '../../protocols/wire/catalogue.ts';
import { supervisor, worker } from '../child-spec.ts';
import { workloadTree } from './workload.tree.ts';

export interface TreeSettings {
  readonly node: string;
  readonly role: NodeRole;
  readonly network: NetworkSettings;
  /** Of a node that is one of a cluster: what it says of itself. */
  readonly observed?: Pick<ObservedInput, 'id' | 'words'>;
}

export function nodeTree(settings: TreeSettings): ChildSpec {
  const { node, role, observed } = settings;
  return supervisor('node', 'one_for_one', [
    supervisor('state', 'rest_for_one', [worker('guard', 'store-guard')]),
    workloadTree(settings),
    // The only server leads; an election decides when there are more.
    ...(role === 'server'
      ? [supervisor('leader', 'rest_for_one', [worker('apps', 'app-manager', { node })])]
      : []),
    supervisor('edge', 'one_for_one', [
      worker('registry', 'registry'),
      ...(observed ? [worker('observed', 'observed', { ...observed })] : []),
    ]),
  ]);
}
