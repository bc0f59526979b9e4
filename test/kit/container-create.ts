/** A complete request for a container, for tests that care about a few of its fields. */
import type { ServiceSpec } from '../../protocols/apps/model.ts';
import type { ContainerCreate } from '../../protocols/containers/model.ts';
import { containerId } from '../../protocols/containers/ids.ts';

/** The n-th slot of a service. Output goes nowhere unless the caller names files. */
export function containerCreate(index: number, service: Partial<ServiceSpec>): ContainerCreate {
  const key = { slot: `shop/web.${index}`, placement: 7, run: 3, attempt: 1 };
  return {
    id: containerId(key),
    key,
    specHash: `hash-${index}`,
    spec: {
      name: 'web',
      image: 'box',
      environment: {},
      ports: [],
      mounts: [],
      dependsOn: [],
      restart: { condition: 'none' },
      replicas: 1,
      networkMode: 'app',
      stopGraceMs: 10_000,
      ...service,
    },
    mounts: [],
    hostname: `web-${index}`,
    extraEnvironment: { HIVEMIND_SLOT: key.slot },
    address: `10.42.0.${index}`,
    stdoutPath: '',
    stderrPath: '',
  };
}
