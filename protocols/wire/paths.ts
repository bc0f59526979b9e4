/** The well-known places of a node's tree. One list, so that no actor invents a path. */
import type { SlotName } from '../apps/model.ts';
import type { RunKey } from '../containers/model.ts';
import type { ActorPath } from './address.ts';

export const paths = {
  root: '/',
  /** Judges whether the store may be followed. */
  guard: '/state/guard',
  apps: '/leader/apps',
  manager: '/workload/manager',
  network: '/workload/network',
  volumes: '/workload/volumes',
  permits: '/workload/permits',
  runtime: '/workload/runtime',
  slots: '/workload/slots',
  containers: '/workload/containers',
  checks: '/workload/checks',
  registry: '/edge/registry',
  /** Where the node is one of a cluster. */
  observed: '/edge/observed',
  /** In the membership subtree's own kernel. */
  members: '/membership/members',
  joiner: '/membership/joiner',
  prober: '/membership/prober',
} as const satisfies Record<string, ActorPath>;

export function slotPath(slot: SlotName): ActorPath {
  return `${paths.slots}/${slot}`;
}

/** Child id under `containers` and `checks`: `shop/web.2/7.3.1`. */
export function attemptId(key: RunKey): string {
  return `${key.slot}/${key.placement}.${key.run}.${key.attempt}`;
}

export function containerPath(key: RunKey): ActorPath {
  return `${paths.containers}/${attemptId(key)}`;
}

export function checkPath(key: RunKey): ActorPath {
  return `${paths.checks}/${attemptId(key)}`;
}
