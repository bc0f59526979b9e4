/** `configs:` and `secrets:` of a service: which files it gets, where, and whose they are. */
import type { FileGrant } from '../../service-model.ts';
import type { ComposeNode } from '../document.ts';
import {
  inside,
  readFileMode,
  readInteger,
  readKeys,
  readList,
  readMap,
  readText,
  refuse,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import { resolvePath } from '../values.ts';
import type { ServiceDraft } from './draft.ts';

export const grantKeys: KeyTable<ServiceDraft> = {
  configs: (draft, node, scope) => readGrants(draft, node, scope, 'config'),
  secrets: (draft, node, scope) => readGrants(draft, node, scope, 'secret'),
};

interface Draft {
  source?: string | undefined;
  target?: string | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
  mode?: number | undefined;
}

const readId = (scope: Scope, node: ComposeNode) => readInteger(scope, node, 0, 4_294_967_294);

const keys: KeyTable<Draft> = {
  source: (draft, node, scope) => (draft.source = readText(scope, node)),
  target: (draft, node, scope) => (draft.target = readText(scope, node)),
  uid: (draft, node, scope) => (draft.uid = readId(scope, node)),
  gid: (draft, node, scope) => (draft.gid = readId(scope, node)),
  mode: (draft, node, scope) => (draft.mode = readFileMode(scope, node)),
};

function readGrants(draft: ServiceDraft, node: ComposeNode, scope: Scope, kind: FileGrant['kind']): void {
  for (const [index, item] of readList(scope, node)?.items.entries() ?? []) {
    const grant = readGrant(inside(scope, index), item, kind);
    if (grant) draft.files.push({ grant, at: item.at });
  }
}

/** Compose's places: a config at `/NAME`, a secret at `/run/secrets/NAME`; a relative secret's target stands there too. */
function readGrant(scope: Scope, node: ComposeNode, kind: FileGrant['kind']): FileGrant | undefined {
  const draft: Draft = {};
  const map = node.kind === 'scalar' ? undefined : readMap(scope, node);
  if (map) {
    readKeys(scope, map, 'services.files', keys, draft);
    if (!map.entries.some((entry) => entry.key === 'source')) refuse(scope, node.at, 'source is missing');
  } else if (node.kind === 'scalar') draft.source = readText(scope, node);
  const { source, target = source, uid, gid, mode } = draft;
  if (source === undefined || target === undefined) return undefined;
  const path = resolvePath(kind === 'config' ? '/' : '/run/secrets', target);
  if (path === '/') return refuse(scope, node.at, `the target ${target} is not a file`);
  return {
    kind,
    source,
    target: path,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    // Compose's default for configs; ours for both is 0400.
    ...(mode === undefined ? (kind === 'config' ? { mode: 0o444 } : {}) : { mode }),
  };
}
