/** `deploy:` of a service, and `scale:`: how many, with how much, restarted how, and where in a cluster. */
import { limits } from '../../../limits.ts';
import type { RestartPolicy } from '../../model.ts';
import type { RolloutSettings } from '../../service-model.ts';
import type { ComposeNode } from '../document.ts';
import {
  inside,
  oneOf,
  readDuration,
  readInteger,
  readKeys,
  readList,
  readMap,
  readNumber,
  readPairs,
  readText,
  readTexts,
  refuse,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import type { SectionName } from '../support/matrix.ts';
import { readReserved } from './devices.ts';
import { agreeing, disagree, into, type ServiceDraft } from './draft.ts';
import { readCpus, readMemory, readPids } from './resources.ts';

export const deployKeys: KeyTable<ServiceDraft> = {
  scale: readReplicas,
  deploy: (draft, node, scope) => {
    if (node.kind === 'scalar' && node.value === null) return;
    section(draft, node, scope, 'services.deploy', keys);
  },
};

const keys: KeyTable<ServiceDraft> = {
  replicas: readReplicas,
  mode: into('own', 'mode', oneOf('replicated', 'global', 'replicated-job', 'global-job')),
  labels: into('own', 'serviceLabels', readPairs),
  endpoint_mode: into('cluster', 'endpointMode', oneOf('vip', 'dnsrr')),
  update_config: into('cluster', 'update', (scope, node) =>
    readRollout(scope, node, 'services.deploy.update_config'),
  ),
  rollback_config: into('cluster', 'rollback', (scope, node) =>
    readRollout(scope, node, 'services.deploy.rollback_config'),
  ),
  placement: (draft, node, scope) => section(draft, node, scope, 'services.deploy.placement', placementKeys),
  restart_policy: (draft, node, scope) => (draft.restartPolicy = readRestartPolicy(scope, node)),
  resources: (draft, node, scope) =>
    section(draft, node, scope, 'services.deploy.resources', {
      limits: (_, inner, at) => section(draft, inner, at, 'services.deploy.resources.limits', limitKeys),
      reservations: (_, inner, at) =>
        section(draft, inner, at, 'services.deploy.resources.reservations', reservationKeys),
    }),
};

function section<Draft>(
  draft: Draft,
  node: ComposeNode,
  scope: Scope,
  name: SectionName,
  table: KeyTable<Draft>,
): void {
  const map = readMap(scope, node);
  if (map) readKeys(scope, map, name, table, draft);
}

function readReplicas(draft: ServiceDraft, node: ComposeNode, scope: Scope): void {
  const replicas = readInteger(scope, node, 0, limits.composeReplicas);
  if (replicas === undefined) return;
  if (draft.replicas !== undefined && draft.replicas !== replicas) disagree(scope, node.at);
  draft.replicas = replicas;
}

const limitKeys: KeyTable<ServiceDraft> = {
  cpus: agreeing('limits', 'cpus', readCpus),
  memory: agreeing('limits', 'memoryBytes', readMemory),
  pids: agreeing('limits', 'pids', readPids),
};

const reservationKeys: KeyTable<ServiceDraft> = {
  cpus: agreeing('reservations', 'cpus', readCpus),
  memory: agreeing('reservations', 'memoryBytes', readMemory),
  devices: readReserved,
  generic_resources: into('reservations', 'genericResources', (scope, node) =>
    readList(scope, node)?.items.flatMap((item, index) => readGeneric(inside(scope, index), item) ?? []),
  ),
};

interface Generic {
  kind?: string | undefined;
  value?: number | undefined;
}

function readGeneric(scope: Scope, node: ComposeNode): { kind: string; value: number } | undefined {
  const name = 'services.deploy.resources.reservations.generic_resources';
  const draft: Generic = {};
  section(draft, node, scope, name, {
    discrete_resource_spec: (_, inner, at) =>
      section(draft, inner, at, `${name}.discrete_resource_spec`, {
        kind: (_draft, value, place) => (draft.kind = readText(place, value)),
        value: (_draft, value, place) =>
          (draft.value = readInteger(place, value, 0, Number.MAX_SAFE_INTEGER)),
      }),
  });
  const { kind, value } = draft;
  return kind === undefined || value === undefined ? undefined : { kind, value };
}

const placementKeys: KeyTable<ServiceDraft> = {
  constraints: into('cluster', 'constraints', (scope, node) => {
    const list = readList(scope, node);
    const texts = list && readTexts(scope, list);
    const wrong = texts?.find((text) => !/^[\w.-]+\s*[=!]=\s*\S.*$/.test(text));
    if (wrong === undefined) return texts;
    return refuse(scope, node.at, `${wrong} is not a constraint`, 'As in node.labels.disk == ssd.');
  }),
  preferences: into('cluster', 'spread', (scope, node) =>
    readList(scope, node)?.items.flatMap((item, index) => {
      const draft: { spread?: string | undefined } = {};
      section(draft, item, inside(scope, index), 'services.deploy.placement.preferences', {
        spread: (_, value, at) => (draft.spread = readText(at, value)),
      });
      if (draft.spread === undefined || draft.spread.length <= limits.pathChars) return draft.spread ?? [];
      return refuse(scope, item.at, `a label of more than ${limits.pathChars} characters`) ?? [];
    }),
  ),
  max_replicas_per_node: into('cluster', 'maxReplicasPerNode', (scope, node) =>
    readInteger(scope, node, 0, limits.composeReplicas),
  ),
};

type RolloutDraft = { -readonly [K in keyof RolloutSettings]: RolloutSettings[K] | undefined };

const rolloutKeys: KeyTable<RolloutDraft> = {
  parallelism: (draft, node, scope) =>
    (draft.parallelism = readInteger(scope, node, 0, limits.composeReplicas)),
  delay: (draft, node, scope) => (draft.delayMs = readDuration(scope, node)),
  failure_action: (draft, node, scope) =>
    (draft.failureAction = oneOf('continue', 'pause', 'rollback')(scope, node)),
  monitor: (draft, node, scope) => (draft.monitorMs = readDuration(scope, node)),
  max_failure_ratio: (draft, node, scope) => (draft.maxFailureRatio = readNumber(scope, node, 0, 1)),
  order: (draft, node, scope) => (draft.order = oneOf('start-first', 'stop-first')(scope, node)),
};

function readRollout(scope: Scope, node: ComposeNode, name: SectionName): RolloutSettings {
  const draft: RolloutDraft = {};
  section(draft, node, scope, name, rolloutKeys);
  return Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== undefined));
}

interface RestartDraft {
  condition: RestartPolicy['condition'];
  maxAttempts?: number | undefined;
  delayMs?: number | undefined;
  windowMs?: number | undefined;
}

const restartKeys: KeyTable<RestartDraft> = {
  condition: (draft, node, scope) => {
    const word = oneOf('none', 'on-failure', 'any')(scope, node);
    if (word !== undefined) draft.condition = word === 'any' ? 'always' : word;
  },
  max_attempts: (draft, node, scope) => (draft.maxAttempts = readInteger(scope, node, 0, 999_999)),
  delay: (draft, node, scope) => (draft.delayMs = readDuration(scope, node)),
  window: (draft, node, scope) => (draft.windowMs = readDuration(scope, node)),
};

function readRestartPolicy(scope: Scope, node: ComposeNode): RestartPolicy {
  const draft: RestartDraft = { condition: 'always' };
  section(draft, node, scope, 'services.deploy.restart_policy', restartKeys);
  const { condition, maxAttempts, delayMs, windowMs } = draft;
  return {
    condition,
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(windowMs === undefined ? {} : { windowMs }),
  };
}
