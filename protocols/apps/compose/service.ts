/** One entry of `services:`: which keys it may have and what each becomes. */
import { shortImageName } from '../../containers/image-name.ts';
import { limits } from '../../limits.ts';
import type { Dependency, HealthcheckSpec, PortSpec, RestartPolicy, ServiceSpec } from '../model.ts';
import type { ComposeNode, MapNode, Place } from './document.ts';
import { readHealthcheck } from './healthcheck.ts';
import type { Environment } from './interpolate.ts';
import { laterDependency, laterDeploy, laterService } from './keys.ts';
import { readMounts, readTmpfs, type MountContext, type PlacedMount } from './mounts.ts';
import { readPorts } from './ports.ts';
import {
  inside,
  mistyped,
  readDuration,
  readInteger,
  readKeys,
  readMap,
  readText,
  readTexts,
  refuse,
  type KeyTable,
  type Scope,
} from './readers.ts';
import { parseSignal, splitWords } from './values.ts';

export interface ServiceContext extends MountContext {
  readonly environment: Environment;
}

/** A service and where its parts stand, for checks over the whole file. */
export interface PlacedService {
  readonly spec: ServiceSpec;
  readonly at: Place;
  readonly portsAt: Place;
  readonly mounts: readonly PlacedMount[];
  readonly dependencies: readonly { readonly dependency: Dependency; readonly at: Place }[];
}

interface Draft {
  readonly context: ServiceContext;
  image?: string | undefined;
  entrypoint?: readonly string[] | undefined;
  command?: readonly string[] | undefined;
  environment: ReadonlyMap<string, string>;
  ports: readonly PortSpec[];
  portsAt?: Place;
  readonly mounts: PlacedMount[];
  dependencies: PlacedService['dependencies'];
  restart: RestartPolicy;
  replicas: number;
  healthcheck?: HealthcheckSpec | undefined;
  networkMode: ServiceSpec['networkMode'];
  stopGraceMs: number;
  stopSignal?: string | undefined;
}

const serviceKeys: KeyTable<Draft> = {
  image: (draft, node, scope) => (draft.image = readImage(scope, node)),
  command: (draft, node, scope) => (draft.command = readArgs(scope, node)),
  entrypoint: (draft, node, scope) => (draft.entrypoint = readArgs(scope, node)),
  environment: (draft, node, scope) =>
    (draft.environment = readEnvironment(scope, node, draft.context.environment)),
  ports: (draft, node, scope) => {
    draft.ports = readPorts(scope, node);
    draft.portsAt = node.at;
  },
  volumes: (draft, node, scope) => draft.mounts.push(...readMounts(scope, node, draft.context)),
  tmpfs: (draft, node, scope) => draft.mounts.push(...readTmpfs(scope, node)),
  depends_on: (draft, node, scope) => (draft.dependencies = readDependencies(scope, node)),
  restart: (draft, node, scope) => (draft.restart = readRestart(scope, node) ?? draft.restart),
  deploy: (draft, node, scope) => {
    const map = readMap(scope, node);
    if (map) readKeys(scope, map, deployKeys, draft, laterDeploy);
  },
  healthcheck: (draft, node, scope) => (draft.healthcheck = readHealthcheck(scope, node)),
  network_mode: (draft, node, scope) => {
    const mode = readText(scope, node);
    if (mode === 'host' || mode === 'none') draft.networkMode = mode;
    else if (mode !== undefined && mode !== 'bridge') refuse(scope, node.at, 'must be host, none or bridge');
  },
  stop_grace_period: (draft, node, scope) => {
    draft.stopGraceMs = readDuration(scope, node) ?? draft.stopGraceMs;
  },
  stop_signal: (draft, node, scope) => {
    const text = readText(scope, node);
    draft.stopSignal = text === undefined ? undefined : parseSignal(text);
    if (text !== undefined && !draft.stopSignal)
      refuse(scope, node.at, `${text} is not a signal`, 'As in SIGTERM.');
  },
};

const deployKeys: KeyTable<Draft> = {
  replicas: (draft, node, scope) => {
    draft.replicas = readInteger(scope, node, 0, limits.composeReplicas) ?? draft.replicas;
  },
};

/** The service with defaults filled in; problems are noted, and then the result is not to be used. */
export function readService(
  scope: Scope,
  name: string,
  node: MapNode,
  context: ServiceContext,
): PlacedService {
  const draft: Draft = {
    context,
    environment: new Map(),
    ports: [],
    mounts: [],
    dependencies: [],
    restart: { condition: 'none' },
    replicas: 1,
    networkMode: 'app',
    stopGraceMs: limits.stopGraceMs,
  };
  readKeys(scope, node, serviceKeys, draft, laterService);
  if (!node.entries.some((entry) => entry.key === 'image')) refuse(scope, node.at, 'image is missing');
  const portsAt = draft.portsAt ?? node.at;
  if (draft.networkMode !== 'app' && draft.ports.length > 0) {
    const hint =
      draft.networkMode === 'host'
        ? 'The service has the ports of its node itself: remove ports.'
        : undefined;
    refuse(scope, portsAt, `ports cannot be published with network_mode ${draft.networkMode}`, hint);
  }
  return {
    spec: specOf(name, draft),
    at: node.at,
    portsAt,
    mounts: draft.mounts,
    dependencies: draft.dependencies,
  };
}

function specOf(name: string, draft: Draft): ServiceSpec {
  return {
    name,
    image: draft.image ?? '',
    ...(draft.entrypoint === undefined ? {} : { entrypoint: draft.entrypoint }),
    ...(draft.command === undefined ? {} : { command: draft.command }),
    environment: Object.fromEntries(draft.environment),
    ports: draft.ports,
    mounts: draft.mounts.map(({ mount }) => mount),
    dependsOn: draft.dependencies.map(({ dependency }) => dependency),
    restart: draft.restart,
    replicas: draft.replicas,
    ...(draft.healthcheck === undefined ? {} : { healthcheck: draft.healthcheck }),
    networkMode: draft.networkMode,
    stopGraceMs: draft.stopGraceMs,
    ...(draft.stopSignal === undefined ? {} : { stopSignal: draft.stopSignal }),
  };
}

/** Under the name that the node keeps it by: `redis` → `redis:latest`. */
function readImage(scope: Scope, node: ComposeNode): string | undefined {
  const text = readText(scope, node);
  if (text === undefined) return undefined;
  const name = shortImageName(text);
  if (name !== undefined) return name;
  return refuse(
    scope,
    node.at,
    `${JSON.stringify(text.slice(0, 80))} is not an image name`,
    'As in redis:7.',
  );
}

/** A list as it stands, a text split as a shell does; nothing (null) leaves the image's own. */
function readArgs(scope: Scope, node: ComposeNode): readonly string[] | undefined {
  if (node.kind === 'list') return readTexts(scope, node);
  if (node.kind === 'scalar' && node.value === null) return undefined;
  const text = readText(scope, node);
  if (text === undefined) return undefined;
  return splitWords(text) ?? refuse(scope, node.at, 'a quotation mark is left open');
}

/** A name without a value takes the deployer's; when that has none either, the name is left out. */
function readEnvironment(scope: Scope, node: ComposeNode, outer: Environment): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  const set = (at: Scope, place: Place, name: string, value: string | undefined): void => {
    const known = value ?? (Object.hasOwn(outer, name) ? outer[name] : undefined);
    if (!/^[^=\0]+$/.test(name)) refuse(at, place, `${JSON.stringify(name)} is not a variable's name`);
    else if (known !== undefined) variables.set(name, known);
  };
  if (node.kind === 'map') {
    for (const { key, keyAt, value } of node.entries) {
      const empty = value.kind === 'scalar' && value.value === null;
      const text = empty ? undefined : readText(inside(scope, key), value);
      if (empty || text !== undefined) set(scope, keyAt, key, text);
    }
  } else if (node.kind === 'list') {
    for (const [index, item] of node.items.entries()) {
      const text = readText(inside(scope, index), item);
      const cut = text?.indexOf('=') ?? -1;
      if (text !== undefined)
        set(scope, item.at, cut < 0 ? text : text.slice(0, cut), cut < 0 ? undefined : text.slice(cut + 1));
    }
  } else if (node.value !== null) mistyped(scope, node, 'a map or a list of NAME=value');
  if (variables.size > limits.composeEnvironment) {
    scope.problems.add(
      'HM-COMPOSE-LIMIT',
      node.at,
      `${scope.path} has more than ${limits.composeEnvironment} variables`,
    );
  }
  return variables;
}

function readRestart(scope: Scope, node: ComposeNode): RestartPolicy | undefined {
  const text = readText(scope, node);
  if (text === undefined) return undefined;
  if (text === 'no' || text === 'false') return { condition: 'none' };
  if (text === 'always' || text === 'unless-stopped') return { condition: 'always' };
  const match = /^on-failure(?::(\d{1,6}))?$/.exec(text);
  if (!match) return mistyped(scope, node, 'no, always, on-failure, on-failure:N or unless-stopped');
  return { condition: 'on-failure', ...(match[1] === undefined ? {} : { maxAttempts: Number(match[1]) }) };
}

const conditions: Readonly<Record<string, Dependency['condition']>> = {
  service_started: 'started',
  service_healthy: 'healthy',
};

interface DependencyDraft {
  condition: Dependency['condition'];
}

const dependencyKeys: KeyTable<DependencyDraft> = {
  condition: (draft, node, scope) => {
    const text = readText(scope, node);
    if (text === undefined) return;
    if (Object.hasOwn(conditions, text)) draft.condition = conditions[text]!;
    else if (text === 'service_completed_successfully')
      refuse(scope, node.at, `${text} is not supported yet`);
    else mistyped(scope, node, 'service_started or service_healthy');
  },
};

function readDependencies(scope: Scope, node: ComposeNode): PlacedService['dependencies'] {
  if (node.kind === 'map') {
    return node.entries.map(({ key, keyAt, value }) => {
      const draft: DependencyDraft = { condition: 'started' };
      const map = readMap(inside(scope, key), value);
      if (map) readKeys(inside(scope, key), map, dependencyKeys, draft, laterDependency);
      return { dependency: { service: key, condition: draft.condition }, at: keyAt };
    });
  }
  if (node.kind !== 'list') return mistyped(scope, node, 'a list or a map of services') ?? [];
  const seen = new Set<string>();
  return node.items.flatMap((item, index) => {
    const service = readText(inside(scope, index), item);
    if (service === undefined || seen.has(service)) return [];
    seen.add(service);
    return [{ dependency: { service, condition: 'started' as const }, at: item.at }];
  });
}
