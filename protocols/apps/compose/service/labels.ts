/** Labels, annotations and logging of a service. */
import type { LoggingSettings } from '../../service-model.ts';
import type { ComposeNode } from '../document.ts';
import {
  inside,
  readKeys,
  readMap,
  readPairs,
  readText,
  refuse,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import { parseBytes } from '../values.ts';
import { into, type ServiceDraft } from './draft.ts';

export const labelKeys: KeyTable<ServiceDraft> = {
  labels: into('own', 'labels', readPairs),
  annotations: into('own', 'annotations', readPairs),
  logging: (draft, node, scope) => (draft.logging = readLogging(scope, node)),
};

interface Draft {
  driver?: string | undefined;
  options?: Readonly<Record<string, string>> | undefined;
}

const keys: KeyTable<Draft> = {
  driver: (draft, node, scope) => (draft.driver = readText(scope, node)),
  options: (draft, node, scope) =>
    (draft.options = node.kind === 'map' ? readPairs(scope, node) : (readMap(scope, node), undefined)),
};

const ownDrivers = new Set(['json-file', 'local', 'none']);

/** Logs are kept by the node whatever the driver: what would have gone elsewhere is said. */
function readLogging(scope: Scope, node: ComposeNode): LoggingSettings | undefined {
  const map = readMap(scope, node);
  if (!map) return undefined;
  const draft: Draft = {};
  readKeys(scope, map, 'services.logging', keys, draft);
  const { driver, options = {} } = draft;
  const keeps = driver === undefined || ownDrivers.has(driver);
  if (!keeps) {
    const text = `${scope.path}.driver: logs are not sent to ${driver}; they stay with the node`;
    scope.problems.warn('HM-COMPOSE-KEY', node.at, text, 'hivemind logs -f APP');
  }
  const { 'max-size': size, 'max-file': files, ...others } = options;
  for (const name of keeps ? Object.keys(others) : [])
    scope.problems.warn('HM-COMPOSE-KEY', node.at, `${scope.path}.options.${name} has no effect`);
  const at = inside(scope, 'options');
  const maxSizeBytes = size === undefined || size === '-1' ? undefined : parseBytes(size);
  if (size !== undefined && size !== '-1' && !maxSizeBytes)
    refuse(at, node.at, `max-size ${size} is not a size like 10m`);
  const maxFiles = files === undefined ? undefined : Number(files);
  if (files !== undefined && !/^[1-9]\d{0,5}$/.test(files))
    refuse(at, node.at, `max-file ${files} is not a number above 0`);
  return {
    ...(keeps && driver !== undefined ? { driver } : {}),
    ...(maxSizeBytes === undefined ? {} : { maxSizeBytes }),
    ...(maxFiles === undefined ? {} : { maxFiles }),
  };
}
