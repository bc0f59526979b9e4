/** `volumes:` of a file. */
import type { VolumeSpec } from '../../model.ts';
import type { ComposeNode } from '../document.ts';
import {
  readKeys,
  readMap,
  readPairs,
  readText,
  refuse,
  refuseKey,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import { readExternal, type ExternalDraft } from './external.ts';

interface Draft extends ExternalDraft {
  options?: Readonly<Record<string, string>> | undefined;
  labels?: Readonly<Record<string, string>> | undefined;
}

const keys: KeyTable<Draft> = {
  name: (draft, node, scope) => (draft.name = readText(scope, node)),
  external: (draft, node, scope) => readExternal(draft, node, scope),
  labels: (draft, node, scope) => (draft.labels = readPairs(scope, node)),
  driver: (_draft, node, scope) => {
    const driver = readText(scope, node);
    if (driver === undefined || driver === 'local' || driver === 'default') return;
    const instead = 'Mount it on the node, and bind the folder: volumes: [/mnt/data:/data].';
    refuseKey(scope, node.at, { why: `there is no driver ${driver}`, instead });
  },
  driver_opts: (draft, node, scope) => {
    const options = readMap(scope, node) && readPairs(scope, node);
    const kind = options?.['type'] ?? 'none';
    const isBind =
      kind === 'none' && options?.['device']?.startsWith('/') && /\br?bind\b/.test(options['o'] ?? '');
    if (!options || Object.keys(options).length === 0) return;
    if (isBind) draft.options = options;
    else {
      const instead = 'Mount it on the node, and bind the folder: volumes: [/mnt/data:/data].';
      refuseKey(scope, node.at, { why: `volumes of type ${kind} are not mounted here`, instead });
    }
  },
};

/** `shop/data` */
export const otherVolume = /^([a-z0-9][a-z0-9_-]{0,62})\/([a-z0-9][a-z0-9_-]{0,62})$/;

export function readVolume(scope: Scope, name: string, node: ComposeNode): VolumeSpec {
  const draft: Draft = {};
  const map = node.kind === 'scalar' && node.value === null ? undefined : readMap(scope, node);
  if (map) readKeys(scope, map, 'volumes', keys, draft);
  const { external, name: externalName, options, labels } = draft;
  if (external && !otherVolume.test(externalName ?? '')) {
    const hint = 'Name it as hivemind volume ls does: name: APP/VOLUME. hivemind volume create makes one.';
    refuse(scope, node.at, 'an external volume is the one of another app', hint);
  } else if (!external && externalName !== undefined) {
    const text = `${scope.path}.name has no effect: volumes are called APP/VOLUME`;
    scope.problems.warn('HM-COMPOSE-KEY', node.at, text);
  }
  if (external && options)
    refuse(scope, node.at, 'an external volume is made elsewhere: only its name can be given');
  return {
    name,
    ...(external ? { external } : {}),
    ...(external && externalName !== undefined ? { externalName } : {}),
    ...(options ? { driver: 'local', driverOptions: options } : {}),
    ...(labels && Object.keys(labels).length > 0 ? { labels } : {}),
  };
}
