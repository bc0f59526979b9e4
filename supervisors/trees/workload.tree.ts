/**
 * What runs on this node. Slots, containers and checks are children of dynamic supervisors, so one of them failing
 * is its own affair; the container manager comes last, because it fills the others.
 */
import type { ChildSpec } from '../../protocols/supervision/child-spec.ts';
import { paths } from '../../protocols/wire/paths.ts';
import { supervisor, worker } from '../child-spec.ts';
import type { TreeSettings } from './node.tree.ts';

export function workloadTree({ node, network, observed }: TreeSettings): ChildSpec {
  return supervisor('workload', 'one_for_one', [
    worker('network', 'network-manager', { node, settings: network }),
    worker('permits', 'permits'),
    supervisor('checks', 'dynamic'),
    supervisor('containers', 'dynamic'),
    supervisor('slots', 'dynamic'),
    worker('volumes', 'volume-manager', { node }),
    worker('manager', 'container-manager', {
      node,
      ...(observed ? { observers: [paths.observed] } : {}),
    }),
    worker('runtime', 'runtime-watch'),
  ]);
}
