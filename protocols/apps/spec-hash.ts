/** What makes a container of its own: when this hash is equal, a running container may stay. */
import { fixedResources } from '../containers/oci/resources.ts';
import { hashValue } from '../hash.ts';
import type { JoinedNetwork } from '../network/model.ts';
import { filesThatCount } from '../security/files.ts';
import type { ServiceSpec } from './model.ts';

/**
 * Replica count, start order and the like concern the slots around a container, and limits can be changed while it runs, so
 * they do not count; everything else does. The image's digest counts when it is known: the same tag with new content is another
 * container.
 */
export function specHash(
  service: ServiceSpec,
  imageDigest = '',
  networks?: readonly JoinedNetwork[],
): string {
  const known = hashes.get(service) ?? new Map<string, string>();
  hashes.set(service, known);
  const key = networks === undefined ? imageDigest : `${imageDigest} ${JSON.stringify(networks)}`;
  const hash = known.get(key) ?? hashOf(service, imageDigest, networks);
  known.set(key, hash);
  return hash;
}

/** Every look at an app asks for the hashes of all of its services, which never change: once each is enough. */
const hashes = new WeakMap<ServiceSpec, Map<string, string>>();

/** What is said of the service and not of its containers: where and how often they run, and how the image comes. */
const around: ReadonlySet<string> = new Set<keyof ServiceSpec>([
  'serviceLabels',
  'cluster',
  'mode',
  'job',
  'pullPolicy',
  'onSecretChange',
]);

function hashOf(
  service: ServiceSpec,
  imageDigest: string,
  networks: readonly JoinedNetwork[] | undefined,
): string {
  const { replicas: _replicas, dependsOn: _dependsOn, resources, ...others } = service;
  const rest = Object.fromEntries(Object.entries(others).filter(([key]) => !around.has(key)));
  const fixed = fixedResources(resources);
  const files = filesThatCount(service);
  const own = {
    ...rest,
    ...(files ? { files } : {}),
    ...(Object.keys(fixed).length > 0 ? { resources: fixed } : {}),
  };
  return hashValue({
    own,
    ...(imageDigest === '' ? {} : { imageDigest }),
    ...(networks === undefined ? {} : { networks }),
  });
}

/** The service as one of its replicas has it: of the ports that were assigned out of a range its own. */
export function forReplica(service: ServiceSpec, index: number): ServiceSpec {
  const ports = service.ports.filter(({ replica = index }) => replica === index);
  return ports.length === service.ports.length ? service : { ...service, ports };
}

/** How many replicas have a port of their own; `undefined` when they share all of them. */
export function portedReplicas({ ports }: ServiceSpec): number | undefined {
  const replicas = ports.flatMap(({ replica }) => replica ?? []);
  return replicas.length === 0 ? undefined : Math.max(...replicas);
}
