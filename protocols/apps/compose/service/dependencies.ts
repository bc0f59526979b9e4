/** Keys that name other services of the app: depends_on, links, volumes_from. */
import type { Dependency } from '../../model.ts';
import type { ComposeNode } from '../document.ts';
import {
  inside,
  mistyped,
  oneOf,
  readBoolean,
  readDistinct,
  readKeys,
  readMap,
  refuse,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import type { PlacedDependency, ServiceDraft } from './draft.ts';

export const dependencyKeys: KeyTable<ServiceDraft> = {
  depends_on: (draft, node, scope) => (draft.dependencies = readDependencies(scope, node)),
  links: (draft, node, scope) => {
    for (const text of readDistinct(scope, node) ?? []) {
      const [service = '', alias = service, ...more] = text.split(':');
      if (more.length > 0 || service === '' || alias === '')
        refuse(scope, node.at, `${text} is not SERVICE or SERVICE:ALIAS`);
      else draft.links.push({ service, alias, at: node.at });
    }
  },
  volumes_from: (draft, node, scope) => {
    for (const text of readDistinct(scope, node) ?? []) {
      const [service = '', mode = 'rw', ...more] = text.split(':');
      if (service === 'container')
        refuse(scope, node.at, 'a container is no part of the app', 'Name a service, or the volume itself.');
      else if (more.length > 0 || (mode !== 'rw' && mode !== 'ro'))
        refuse(scope, node.at, `${text} is not SERVICE, SERVICE:ro or SERVICE:rw`);
      else draft.borrowed.push({ service, readOnly: mode === 'ro', at: node.at });
    }
  },
};

const conditions = {
  service_started: 'started',
  service_healthy: 'healthy',
  service_completed_successfully: 'completed',
} as const satisfies Record<string, Dependency['condition']>;
const readCondition = oneOf(...(Object.keys(conditions) as (keyof typeof conditions)[]));

interface Draft {
  condition: Dependency['condition'];
  restart?: boolean | undefined;
  required?: boolean | undefined;
}

const keys: KeyTable<Draft> = {
  condition: (draft, node, scope) => {
    const word = readCondition(scope, node);
    if (word !== undefined) draft.condition = conditions[word];
  },
  restart: (draft, node, scope) => (draft.restart = readBoolean(scope, node)),
  required: (draft, node, scope) => (draft.required = readBoolean(scope, node)),
};

function readDependencies(scope: Scope, node: ComposeNode): readonly PlacedDependency[] {
  if (node.kind === 'map') {
    return node.entries.map(({ key, keyAt, value }) => {
      const draft: Draft = { condition: 'started' };
      const at = inside(scope, key);
      const map = readMap(at, value);
      if (map) readKeys(at, map, 'services.depends_on', keys, draft);
      if (map && !map.entries.some((entry) => entry.key === 'condition'))
        refuse(at, keyAt, 'condition is missing', 'As in condition: service_started.');
      const { condition, restart, required } = draft;
      const dependency: Dependency = {
        service: key,
        condition,
        ...(restart === true ? { restart } : {}),
        ...(required === false ? { required } : {}),
      };
      return { dependency, at: keyAt };
    });
  }
  if (node.kind !== 'list') return mistyped(scope, node, 'a list or a map of services') ?? [];
  return (readDistinct(scope, node) ?? []).map((service, index) => ({
    dependency: { service, condition: 'started' },
    at: node.items[index]!.at,
  }));
}
