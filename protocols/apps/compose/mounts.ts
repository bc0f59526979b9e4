/** `volumes:` of a service in short and long form, and its `tmpfs:`. */
import { limits } from '../../limits.ts';
import type { MountSpec } from '../model.ts';
import type { ComposeNode, MapNode, Place } from './document.ts';
import {
  inside,
  mistyped,
  oneOf,
  readBoolean,
  readBytes,
  readFileMode,
  readKeys,
  readList,
  readMap,
  readText,
  refuse,
  refuseKey,
  type KeyTable,
  type Scope,
} from './readers.ts';
import { parseBytes, parseFileMode, resolvePath } from './values.ts';

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
    if (!mount || !hasShortPaths(at, item.at, mount)) return;
    warnOfDocker(at, item.at, mount);
    mounts.push({ mount, at: item.at });
  });
  return mounts;
}

/** What asks Docker what runs gets an empty answer, or none: better said here than searched for later. */
function warnOfDocker(scope: Scope, at: Place, mount: MountSpec): void {
  if (mount.type !== 'bind' || !/^\/(?:var\/)?run\/docker\.sock$/.test(mount.source)) return;
  const text = `${scope.path} is Docker's own socket: what asks there sees no container of Hivemind`;
  scope.problems.warn('HM-COMPOSE-KEY', at, text);
}

/** A folder is made in the place of what is missing; never in the place of a socket, whose server would not start any more. */
const mayBeFolder = (path: string): boolean => !path.endsWith('.sock');

/** Whether the kernel could take the paths. */
function hasShortPaths(scope: Scope, at: Place, mount: MountSpec): boolean {
  const paths = [mount.target, ...(mount.type === 'bind' ? [mount.source] : [])];
  if (paths.every((path) => path.length <= limits.pathChars)) return true;
  const text = `${scope.path} has a path of more than ${limits.pathChars} characters`;
  scope.problems.add('HM-COMPOSE-LIMIT', at, text);
  return false;
}

/** `SOURCE:TARGET[:MODE]`. A bind's missing source is made, as the specification has it for this form. */
function shortForm(scope: Scope, node: ComposeNode, context: MountContext): MountSpec | undefined {
  const text = readText(scope, node);
  if (text === undefined) return undefined;
  const [source = '', target, mode = 'rw', ...more] = text.split(':');
  if (target === undefined) {
    if (isTarget(source)) return { type: 'anonymous', target: resolvePath('/', source), readOnly: false };
    const hint = 'Say where it is mounted, as in data:/var/lib/data.';
    return refuse(scope, node.at, `${source} is not an absolute path`, hint);
  }
  if (more.length > 0 || source === '') return mistyped(scope, node, 'SOURCE:TARGET or SOURCE:TARGET:ro');
  if (!isTarget(target)) return refuse(scope, node.at, `the target ${target} is not an absolute path`);
  const modes = readModes(scope, node.at, mode);
  const { readOnly, noCopy, propagation } = modes;
  const at = resolvePath('/', target);
  if (!/^[./~]/.test(source)) {
    if (propagation) return refuse(scope, node.at, `${propagation} is for binds`);
    return { type: 'volume', volume: source, target: at, readOnly, ...(noCopy ? { noCopy } : {}) };
  }
  const path = bindSource(scope, node.at, source, context);
  if (path === undefined) return undefined;
  if (noCopy) return refuse(scope, node.at, 'nocopy is for volumes');
  return {
    type: 'bind',
    source: path,
    target: at,
    readOnly,
    createSource: mayBeFolder(path),
    ...(propagation ? { propagation } : {}),
  };
}

/** Options that change nothing here; a warning says so. */
const harmlessModes = new Set(['z', 'Z', 'cached', 'delegated', 'consistent', 'U']);

interface Modes {
  readOnly: boolean;
  noCopy?: boolean;
  propagation?: (typeof propagations)[number];
}

function readModes(scope: Scope, at: Place, mode: string): Modes {
  const modes: Modes = { readOnly: false };
  for (const option of mode.split(',')) {
    const propagation = propagations.find((word) => word === option);
    if (option === 'ro') modes.readOnly = true;
    else if (option === 'nocopy') modes.noCopy = true;
    else if (propagation) modes.propagation = propagation;
    else if (harmlessModes.has(option)) {
      scope.problems.warn('HM-COMPOSE-KEY', at, `${scope.path}: the option ${option} has no effect`);
    } else if (option !== 'rw') {
      const text = `${scope.path}: the option ${option} is not supported`;
      scope.problems.add('HM-COMPOSE-KEY', at, text, 'Use ro or rw.');
    }
  }
  return modes;
}

function bindSource(scope: Scope, at: Place, source: string, context: MountContext): string | undefined {
  if (!source.startsWith('~')) return resolvePath(context.projectDirectory, source);
  const inHome = /^~(?:\/(.*))?$/.exec(source);
  if (inHome && context.home) return resolvePath(context.home, inHome[1] ?? '.');
  return refuse(scope, at, `${source} cannot be resolved`, 'Write an absolute path, or ~/… with HOME set.');
}

const isTarget = (path: string): boolean => path.startsWith('/') && resolvePath('/', path) !== '/';

interface LongDraft {
  type?: MountSpec['type'] | undefined;
  source?: string | undefined;
  target?: string | undefined;
  readOnly?: boolean | undefined;
  createSource?: boolean | undefined;
  propagation?: (MountSpec & { type: 'bind' })['propagation'] | undefined;
  recursive?: (MountSpec & { type: 'bind' })['recursive'] | undefined;
  noCopy?: boolean | undefined;
  subpath?: string | undefined;
  sizeBytes?: number | undefined;
  mode?: number | undefined;
  /** Which of the forms' own blocks were written. */
  readonly blocks: Map<string, Place>;
}

const longKeys: KeyTable<LongDraft> = {
  type: (draft, node, scope) => {
    const type = oneOf('volume', 'bind', 'tmpfs', 'npipe', 'cluster', 'image')(scope, node);
    if (type === 'volume' || type === 'bind' || type === 'tmpfs') draft.type = type;
    else if (type !== undefined) {
      const why = `mounts of type ${type} are not made here`;
      refuseKey(scope, node.at, { why, instead: 'Use volume, bind or tmpfs.' });
    }
  },
  source: (draft, node, scope) => (draft.source = readText(scope, node)),
  target: (draft, node, scope) => (draft.target = readText(scope, node)),
  read_only: (draft, node, scope) => (draft.readOnly = readBoolean(scope, node)),
  bind: (draft, node, scope) => block(draft, node, scope, 'bind', bindKeys),
  tmpfs: (draft, node, scope) => block(draft, node, scope, 'tmpfs', tmpfsKeys),
  volume: (draft, node, scope) => block(draft, node, scope, 'volume', volumeKeys),
};

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;
const bindKeys: KeyTable<LongDraft> = {
  create_host_path: (draft, node, scope) => (draft.createSource = readBoolean(scope, node)),
  propagation: (draft, node, scope) => (draft.propagation = oneOf(...propagations)(scope, node)),
  recursive: (draft, node, scope) =>
    (draft.recursive = oneOf('enabled', 'disabled', 'writable', 'readonly')(scope, node)),
};
const tmpfsKeys: KeyTable<LongDraft> = {
  size: (draft, node, scope) => (draft.sizeBytes = readBytes(scope, node)),
  mode: (draft, node, scope) => (draft.mode = readFileMode(scope, node)),
};
const volumeKeys: KeyTable<LongDraft> = {
  nocopy: (draft, node, scope) => (draft.noCopy = readBoolean(scope, node)),
  subpath: (draft, node, scope) => {
    const path = readText(scope, node);
    const inward = path !== undefined && !path.startsWith('/') && !path.split('/').includes('..');
    if (path === undefined || inward) draft.subpath = path;
    else refuse(scope, node.at, `${path} does not stay inside the volume`);
  },
};

function block(
  draft: LongDraft,
  node: ComposeNode,
  scope: Scope,
  name: 'bind' | 'tmpfs' | 'volume',
  table: KeyTable<LongDraft>,
): void {
  const map = readMap(scope, node);
  if (!map) return;
  draft.blocks.set(name, node.at);
  readKeys(scope, map, `services.volumes.${name}`, table, draft);
}

function longForm(scope: Scope, node: MapNode, context: MountContext): MountSpec | undefined {
  const draft: LongDraft = { blocks: new Map() };
  readKeys(scope, node, 'services.volumes', longKeys, draft);
  const { type, source } = draft;
  if (!node.entries.some((entry) => entry.key === 'type')) return refuse(scope, node.at, 'type is missing');
  if (type === undefined) return undefined;
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
  if (type === 'volume') return volumeMount(scope, node.at, target, draft);
  if (!source) return refuse(scope, node.at, 'source is missing');
  const path = bindSource(scope, node.at, source, context);
  if (path === undefined) return undefined;
  const { createSource = false, propagation, recursive } = draft;
  return {
    type,
    source: path,
    target,
    readOnly,
    createSource: createSource && mayBeFolder(path),
    ...(propagation === undefined ? {} : { propagation }),
    ...(recursive === undefined ? {} : { recursive }),
  };
}

/** Without a name it is the replica's own. */
function volumeMount(scope: Scope, at: Place, target: string, draft: LongDraft): MountSpec | undefined {
  const { source, subpath, noCopy, readOnly = false } = draft;
  const own = { target, readOnly, ...(noCopy === undefined ? {} : { noCopy }) };
  if (source) {
    return { type: 'volume', volume: source, ...own, ...(subpath === undefined ? {} : { subpath }) };
  }
  if (subpath !== undefined) return refuse(scope, at, 'a subpath needs the name of a volume as its source');
  return { type: 'anonymous', ...own };
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
    if (mount && hasShortPaths(at, item.at, mount)) mounts.push({ mount, at: item.at });
  });
  return mounts;
}

function tmpfsEntry(scope: Scope, at: Place, text: string): MountSpec | undefined {
  const [target = '', options, ...more] = text.split(':');
  if (!isTarget(target) || more.length > 0) return refuse(scope, at, `${target} is not an absolute path`);
  const draft: { sizeBytes?: number | undefined; mode?: number | undefined } = {};
  for (const option of options?.split(',') ?? []) {
    const [name = '', value = ''] = option.split('=');
    if (['rw', 'nosuid', 'nodev', 'noexec'].includes(option)) {
      // The mount has the last three already.
      continue;
    }
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
