/** `volumes:` of a service in short and long form, and its `tmpfs:`. */
import type { MountSpec } from '../model.ts';
import type { ComposeNode, MapNode, Place } from './document.ts';
import {
  inside,
  mistyped,
  readBoolean,
  readKeys,
  readList,
  readMap,
  readText,
  refuse,
  type KeyTable,
  type Scope,
} from './readers.ts';
import { parseBytes, resolvePath } from './values.ts';

export interface MountContext {
  /** Absolute; relative bind sources start here. */
  readonly projectDirectory: string;
  /** For sources that begin with `~`. */
  readonly home: string | undefined;
}

/** A mount and where it stands, for checks over the whole file. */
export interface PlacedMount {
  readonly mount: MountSpec;
  readonly at: Place;
}

export function readMounts(scope: Scope, node: ComposeNode, context: MountContext): PlacedMount[] {
  const mounts: PlacedMount[] = [];
  readList(scope, node)?.items.forEach((item, index) => {
    const at = inside(scope, index);
    const mount = item.kind === 'map' ? longForm(at, item, context) : shortForm(at, item, context);
    if (mount) mounts.push({ mount, at: item.at });
  });
  return mounts;
}

/** `SOURCE:TARGET[:MODE]`. A bind's missing source is made, as the specification has it for this form. */
function shortForm(scope: Scope, node: ComposeNode, context: MountContext): MountSpec | undefined {
  const text = readText(scope, node);
  if (text === undefined) return undefined;
  const [source = '', target, mode = 'rw', ...more] = text.split(':');
  if (target === undefined) {
    const hint = `Name it: NAME:${source}, and declare NAME under volumes.`;
    return refuse(scope, node.at, 'a volume without a name is not supported', hint);
  }
  if (more.length > 0 || source === '') return mistyped(scope, node, 'SOURCE:TARGET or SOURCE:TARGET:ro');
  if (!isTarget(target)) return refuse(scope, node.at, `the target ${target} is not an absolute path`);
  const readOnly = readMode(scope, node.at, mode);
  if (!/^[./~]/.test(source))
    return { type: 'volume', volume: source, target: resolvePath('/', target), readOnly };
  const path = bindSource(scope, node.at, source, context);
  if (path === undefined) return undefined;
  return { type: 'bind', source: path, target: resolvePath('/', target), readOnly, createSource: true };
}

/** Options that change nothing here; a warning says so. */
const harmlessModes = new Set(['z', 'Z', 'cached', 'delegated', 'consistent']);

function readMode(scope: Scope, at: Place, mode: string): boolean {
  let readOnly = false;
  for (const option of mode.split(',')) {
    if (option === 'ro') readOnly = true;
    else if (harmlessModes.has(option)) {
      scope.problems.warn('HM-COMPOSE-KEY', at, `${scope.path}: the option ${option} has no effect here`);
    } else if (option !== 'rw') {
      scope.problems.add(
        'HM-COMPOSE-KEY',
        at,
        `${scope.path}: the option ${option} is not supported`,
        'Use ro or rw.',
      );
    }
  }
  return readOnly;
}

function bindSource(scope: Scope, at: Place, source: string, context: MountContext): string | undefined {
  if (!source.startsWith('~')) return resolvePath(context.projectDirectory, source);
  const inHome = /^~(?:\/(.*))?$/.exec(source);
  if (inHome && context.home) return resolvePath(context.home, inHome[1] ?? '.');
  return refuse(scope, at, `${source} cannot be resolved`, 'Write an absolute path, or ~/… with HOME set.');
}

const isTarget = (path: string): boolean => path.startsWith('/') && resolvePath('/', path) !== '/';

interface LongDraft {
  type?: string | undefined;
  source?: string | undefined;
  target?: string | undefined;
  readOnly?: boolean | undefined;
  createSource?: boolean | undefined;
  sizeBytes?: number | undefined;
  mode?: number | undefined;
  /** Which of the forms' own blocks were written. */
  readonly blocks: Map<string, Place>;
}

const longKeys: KeyTable<LongDraft> = {
  type: (draft, node, scope) => (draft.type = readText(scope, node)),
  source: (draft, node, scope) => (draft.source = readText(scope, node)),
  target: (draft, node, scope) => (draft.target = readText(scope, node)),
  read_only: (draft, node, scope) => (draft.readOnly = readBoolean(scope, node)),
  bind: (draft, node, scope) => block(draft, node, scope, 'bind', bindKeys, laterBindKeys),
  tmpfs: (draft, node, scope) => block(draft, node, scope, 'tmpfs', tmpfsKeys, new Set()),
  volume: (draft, node, scope) => block(draft, node, scope, 'volume', {}, laterVolumeKeys),
};
const laterLongKeys = new Set(['consistency', 'image']);
const laterBindKeys = new Set(['propagation', 'selinux', 'recursive']);
const laterVolumeKeys = new Set(['nocopy', 'subpath', 'labels']);

const bindKeys: KeyTable<LongDraft> = {
  create_host_path: (draft, node, scope) => (draft.createSource = readBoolean(scope, node)),
};
const tmpfsKeys: KeyTable<LongDraft> = {
  size: (draft, node, scope) => (draft.sizeBytes = readBytes(scope, node)),
  mode: (draft, node, scope) => (draft.mode = readFileMode(scope, node)),
};

function block(
  draft: LongDraft,
  node: ComposeNode,
  scope: Scope,
  name: string,
  table: KeyTable<LongDraft>,
  later: ReadonlySet<string>,
): void {
  const map = readMap(scope, node);
  if (!map) return;
  draft.blocks.set(name, node.at);
  readKeys(scope, map, table, draft, later);
}

function longForm(scope: Scope, node: MapNode, context: MountContext): MountSpec | undefined {
  const draft: LongDraft = { blocks: new Map() };
  readKeys(scope, node, longKeys, draft, laterLongKeys);
  const { type, source } = draft;
  if (type !== 'volume' && type !== 'bind' && type !== 'tmpfs') {
    return refuse(scope, node.at, 'type must be volume, bind or tmpfs');
  }
  for (const [name, at] of draft.blocks) {
    if (name !== type) refuse(scope, at, `a mount of type ${type} has no ${name} block`);
  }
  if (draft.target === undefined || !isTarget(draft.target)) {
    return refuse(scope, node.at, 'target must be an absolute path');
  }
  const target = resolvePath('/', draft.target);
  const readOnly = draft.readOnly ?? false;
  if (type === 'tmpfs') {
    if (source !== undefined) return refuse(scope, node.at, 'a tmpfs mount has no source');
    if (readOnly) return refuse(scope, node.at, 'a tmpfs mount cannot be read-only');
    return tmpfs(target, draft);
  }
  if (!source) return refuse(scope, node.at, 'source is missing');
  if (type === 'volume') return { type, volume: source, target, readOnly };
  const path = bindSource(scope, node.at, source, context);
  if (path === undefined) return undefined;
  return { type, source: path, target, readOnly, createSource: draft.createSource ?? false };
}

function tmpfs(
  target: string,
  options: { sizeBytes?: number | undefined; mode?: number | undefined },
): MountSpec {
  return {
    type: 'tmpfs',
    target,
    ...(options.sizeBytes === undefined ? {} : { sizeBytes: options.sizeBytes }),
    ...(options.mode === undefined ? {} : { mode: options.mode }),
  };
}

/** `tmpfs: /run` or a list; each may carry options: `/run:size=64m,mode=1777`. */
export function readTmpfs(scope: Scope, node: ComposeNode): PlacedMount[] {
  const items = node.kind === 'list' ? node.items : [node];
  const mounts: PlacedMount[] = [];
  items.forEach((item, index) => {
    const at = node.kind === 'list' ? inside(scope, index) : scope;
    const text = readText(at, item);
    const mount = text === undefined ? undefined : tmpfsEntry(at, item.at, text);
    if (mount) mounts.push({ mount, at: item.at });
  });
  return mounts;
}

function tmpfsEntry(scope: Scope, at: Place, text: string): MountSpec | undefined {
  const [target = '', options, ...more] = text.split(':');
  if (!isTarget(target) || more.length > 0) return refuse(scope, at, `${target} is not an absolute path`);
  const draft: { sizeBytes?: number | undefined; mode?: number | undefined } = {};
  for (const option of options?.split(',') ?? []) {
    const [name = '', value = ''] = option.split('=');
    if (name !== 'size' && name !== 'mode') {
      return refuse(scope, at, `the option ${name} is not supported`, 'Use size= and mode=.');
    }
    const amount = name === 'size' ? parseBytes(value) : parseFileMode(value);
    if (amount === undefined)
      return refuse(scope, at, `${option} cannot be read`, 'As in size=64m,mode=1777.');
    if (name === 'size') draft.sizeBytes = amount;
    else draft.mode = amount;
  }
  return tmpfs(resolvePath('/', target), draft);
}

function readBytes(scope: Scope, node: ComposeNode): number | undefined {
  const bytes = node.kind === 'scalar' ? parseBytes(node.text) : undefined;
  return bytes ?? mistyped(scope, node, 'a size like 64m or a number of bytes');
}

function readFileMode(scope: Scope, node: ComposeNode): number | undefined {
  const mode = node.kind === 'scalar' ? parseFileMode(node.text) : undefined;
  return mode ?? mistyped(scope, node, 'an octal file mode like 1777');
}

const parseFileMode = (text: string): number | undefined =>
  /^(0o?)?[0-7]{3,4}$/.test(text) ? Number.parseInt(text.replace(/^0o?/, ''), 8) : undefined;
