/**
 * One entry of `services:`, read and put together. Which keys there are stands in support/service-keys.ts, what each
 * becomes in the tables of service/. Not what only the whole file shows: that is whole.ts.
 */
import { processImage } from '../../containers/making/host-process.ts';
import { limits } from '../../limits.ts';
import { lenderOf, type ServiceSpec } from '../model.ts';
import type { ResourceSettings, ServiceParts } from '../service-model.ts';
import type { MapNode, Place } from './document.ts';
import { extensionKeys } from './extension/service-extension.ts';
import { readMounts, readTmpfs, type PlacedMount } from './mounts.ts';
import { readPorts } from './ports.ts';
import { inside, readKeys, refuse, type KeyTable, type Scope } from './readers.ts';
import { dependencyKeys } from './service/dependencies.ts';
import { deployKeys } from './service/deploy.ts';
import { deviceKeys } from './service/devices.ts';
import {
  draftOf,
  type Borrowed,
  type Link,
  type PlacedDependency,
  type ServiceContext,
  type ServiceDraft,
} from './service/draft.ts';
import { grantKeys } from './service/grants.ts';
import { isolationKeys } from './service/isolation.ts';
import { labelKeys } from './service/labels.ts';
import { lifecycleKeys } from './service/lifecycle.ts';
import { networkingKeys, networksOf, warnOfHardware } from './service/networking.ts';
import { processKeys, refuseBuild } from './service/process.ts';
import { resourceKeys } from './service/resources.ts';
import { securityKeys } from './service/security.ts';

/** A service and where its parts stand, for checks over the whole file. */
export interface PlacedService {
  readonly spec: ServiceSpec;
  readonly at: Place;
  readonly portsAt: Place;
  readonly networksAt: Place;
  readonly mounts: readonly PlacedMount[];
  readonly dependencies: readonly PlacedDependency[];
  readonly links: readonly Link[];
  readonly borrowed: readonly Borrowed[];
  readonly files: ServiceDraft['files'];
}

const serviceKeys: KeyTable<ServiceDraft> = {
  ...processKeys,
  ...isolationKeys,
  ...securityKeys,
  ...deviceKeys,
  ...resourceKeys,
  ...deployKeys,
  ...networkingKeys,
  ...dependencyKeys,
  ...labelKeys,
  ...grantKeys,
  ...lifecycleKeys,
  ...extensionKeys,
  ports: (draft, node, scope) => {
    draft.ports = readPorts(scope, node);
    draft.portsAt = node.at;
  },
  volumes: (draft, node, scope) => draft.mounts.push(...readMounts(scope, node, draft.context)),
  tmpfs: (draft, node, scope) => draft.mounts.push(...readTmpfs(scope, node)),
};

/** Read one service. With problems noted the result is not to be used beyond further checks. */
export function readService(
  scope: Scope,
  name: string,
  node: MapNode,
  context: ServiceContext,
): PlacedService {
  const draft = draftOf(name, context, limits.stopGraceMs);
  readKeys(scope, node, 'services', serviceKeys, draft);
  const has = (key: string): boolean => node.entries.some((entry) => entry.key === key);
  if (!has('image') && !has('build')) {
    if (draft.own.hostProcess) draft.image = processImage;
    else refuse(scope, node.at, 'image is missing');
  }
  // A process has the machine's network, whatever else it could have asked for.
  if (draft.own.hostProcess && !draft.networkModeAt && !draft.networks) draft.networkMode = 'host';
  // Only now it is known what the image is called.
  if (draft.build) refuseBuild(draft, draft.build, inside(scope, 'build'));
  checkTogether(scope, draft, node.at);
  return {
    spec: specOf(draft),
    at: node.at,
    portsAt: draft.portsAt ?? node.at,
    networksAt: draft.networksAt ?? node.at,
    mounts: draft.mounts,
    dependencies: draft.dependencies,
    links: draft.links,
    borrowed: draft.borrowed,
    files: draft.files,
  };
}

/** Keys that exclude or need each other. */
function checkTogether(scope: Scope, draft: ServiceDraft, at: Place): void {
  const { networkMode, own, limits: bounds, reservations, resources } = draft;
  if (own.hostProcess) checkProcessPorts(scope, draft, at);
  else if (networkMode !== 'app' && draft.ports.length > 0) {
    const lender = lenderOf({ networkMode });
    const hint =
      networkMode === 'host'
        ? 'The service has the ports of its node itself: remove ports.'
        : lender && `Publish them at ${lender}, whose network it has.`;
    refuse(scope, draft.portsAt ?? at, `ports cannot be published with network_mode ${networkMode}`, hint);
  }
  if (draft.networkModeAt && draft.networks)
    refuse(
      scope,
      draft.networkModeAt,
      'network_mode and networks exclude each other',
      'Keep one of the two.',
    );
  warnOfHardware(scope, draft, at);
  const job = own.mode === 'replicated-job' || own.mode === 'global-job';
  if (own.mode?.startsWith('global') && draft.replicas !== undefined)
    refuse(scope, at, `deploy.mode ${own.mode} has one container a node: replicas cannot be given`);
  if (job && (draft.restartPolicy ?? draft.restart)?.condition === 'always')
    refuse(scope, at, 'a job ends: it cannot be restarted always', 'condition: on-failure, or none.');
  if (draft.job && !job)
    refuse(scope, at, 'x-hivemind.job needs deploy.mode replicated-job', 'deploy: { mode: replicated-job }');
  const { memoryBytes } = bounds;
  if (memoryBytes !== undefined && (reservations.memoryBytes ?? 0) > memoryBytes)
    refuse(scope, at, 'the memory reservation is above the memory limit');
  if (bounds.cpus !== undefined && (reservations.cpus ?? 0) > bounds.cpus)
    refuse(scope, at, 'the CPU reservation is above the CPU limit');
  const { memorySwapBytes = -1 } = resources;
  if (memorySwapBytes !== -1 && memorySwapBytes < (memoryBytes ?? Number.POSITIVE_INFINITY))
    refuse(scope, at, 'memswap_limit is memory and swap together: it cannot be below mem_limit');
  if (
    bounds.cpus !== undefined &&
    (resources.cpuQuotaUs !== undefined || resources.cpuPeriodUs !== undefined)
  )
    refuse(scope, at, 'cpus and cpu_quota say the same in two ways', 'Keep cpus.');
}

/** It listens on the port itself: nothing could lead from another one to it. */
function checkProcessPorts(scope: Scope, { ports, portsAt }: ServiceDraft, at: Place): void {
  const moved = ports.find(({ hostPort, containerPort }) => hostPort !== containerPort);
  if (!moved) return;
  const { hostPort, containerPort } = moved;
  const text = `a process has its ports on the machine itself: ${hostPort}:${containerPort} cannot be`;
  refuse(scope, portsAt ?? at, text, `Write "${containerPort}:${containerPort}".`);
}

const present = <Value extends object>(value: Value): Value | undefined =>
  Object.keys(value).length > 0 ? value : undefined;

function specOf(draft: ServiceDraft): ServiceSpec {
  return {
    name: draft.name,
    image: draft.image ?? '',
    ...(draft.entrypoint === undefined ? {} : { entrypoint: draft.entrypoint }),
    ...(draft.command === undefined ? {} : { command: draft.command }),
    environment: Object.fromEntries(draft.environment),
    ports: draft.ports,
    mounts: draft.mounts.map(({ mount }) => mount),
    dependsOn: draft.dependencies.map(({ dependency }) => dependency),
    restart: draft.restartPolicy ?? draft.restart ?? { condition: 'none' },
    replicas: draft.replicas ?? 1,
    ...(draft.healthcheck === undefined ? {} : { healthcheck: draft.healthcheck }),
    networkMode: draft.networkMode,
    stopGraceMs: draft.stopGraceMs,
    ...(draft.stopSignal === undefined ? {} : { stopSignal: draft.stopSignal }),
    ...partsOf(draft),
  };
}

/** What was not said, or said with nothing in it, is absent. */
function partsOf(draft: ServiceDraft): ServiceParts {
  const { own, refreshAfterMs } = draft;
  const when = own.pullPolicy;
  const parts: { [K in keyof ServiceParts]: ServiceParts[K] | undefined } = {
    ...own,
    labels: own.labels && present(own.labels),
    annotations: own.annotations && present(own.annotations),
    serviceLabels: own.serviceLabels && present(own.serviceLabels),
    process: present(draft.process),
    isolation: present(draft.isolation),
    resources: resourcesOf(draft),
    names: present(draft.names),
    networks: networksOf(draft),
    logging: draft.logging && present(draft.logging),
    pullPolicy:
      when?.when === 'older' && refreshAfterMs !== undefined ? { ...when, thanMs: refreshAfterMs } : when,
    files: draft.files.length > 0 ? draft.files.map(({ grant }) => grant) : undefined,
    hooks: present(Object.fromEntries(Object.entries(draft.hooks).filter(([, hooks]) => hooks.length > 0))),
    probes: draft.probes && present(draft.probes),
    job: draft.job && present(draft.job),
    cluster: present(draft.cluster),
  };
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined));
}

function resourcesOf(draft: ServiceDraft): ResourceSettings | undefined {
  const bounds = present(draft.limits);
  const reservations = present(draft.reservations);
  return present({
    ...(bounds ? { limits: bounds } : {}),
    ...(reservations ? { reservations } : {}),
    ...draft.resources,
  });
}
