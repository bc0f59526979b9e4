/**
 * A Compose file, read with positions, becomes the app model; or every problem that it has, each with file and
 * line. Pure: the deployer's environment, home and project directory are arguments.
 * Read first: compose/document.ts (what comes in), model.ts (what goes out), compose/service.ts (the keys).
 */
import type { Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { Problems, type ComposeNode, type MapNode } from './compose/document.ts';
import { interpolate, type Environment } from './compose/interpolate.ts';
import { isFileName, isName, normalizeName } from './compose/files/names.ts';
import {
  inside,
  mistyped,
  readKeys,
  readMap,
  readText,
  type KeyTable,
  type Scope,
} from './compose/readers.ts';
import type { FileContent } from './compose/files/requests.ts';
import { readService, type PlacedService } from './compose/service.ts';
import type { ServiceContext } from './compose/service/draft.ts';
import { readContent } from './compose/top/contents.ts';
import { readNetwork } from './compose/top/networks.ts';
import { readVolume } from './compose/top/volumes.ts';
import { checkWhole } from './compose/whole.ts';
import type { AppSpec, VolumeSpec } from './model.ts';
import type { FileSource, NetworkSpec } from './service-model.ts';

export interface CompileOptions {
  /** Overrides the file's `name:` and the directory's name. */
  readonly name?: string | undefined;
  /** Absolute path: relative bind sources start here, and its last part is the app's name when nothing else is. */
  readonly projectDirectory: string;
  /** The deployer's: for `$VAR` and for `environment` names without a value. */
  readonly environment: Environment;
  /** Services that no enabled profile brings in, with their profiles: for what is said of who needs them. */
  readonly disabled?: ReadonlyMap<string, readonly string[]>;
  /** What `configs`, `secrets` and seccomp profiles name as files, by absolute path. */
  readonly contents?: ReadonlyMap<string, FileContent>;
}

export type Compiled =
  | { readonly spec: AppSpec; readonly warnings: readonly Reason[] }
  | { readonly problems: readonly Reason[]; readonly warnings: readonly Reason[] };

interface Draft {
  readonly options: CompileOptions;
  name?: string | undefined;
  /** Also those that could not be read. */
  readonly declared: Set<string>;
  readonly services: Map<string, PlacedService>;
  readonly volumes: Map<string, VolumeSpec>;
  readonly networks: Map<string, NetworkSpec>;
  readonly configs: Map<string, FileSource>;
  readonly secrets: Map<string, FileSource>;
}

const topKeys: KeyTable<Draft> = {
  name: (draft, node, scope) => {
    draft.name = readText(scope, node);
    if (draft.name !== undefined && draft.options.name === undefined)
      checkName(scope, node, draft.name, 'the app');
  },
  services: readServices,
  volumes: (draft, node, scope) => readNamed(scope, node, 'a volume', draft.volumes, readVolume),
  networks: (draft, node, scope) => readNamed(scope, node, 'a network', draft.networks, readNetwork),
  configs: (draft, node, scope) =>
    readNamed(scope, node, 'a config', draft.configs, (at, name, value) =>
      readContent(at, 'configs', name, value, contextOf(draft.options)),
    ),
  secrets: (draft, node, scope) =>
    readNamed(scope, node, 'a secret', draft.secrets, (at, name, value) =>
      readContent(at, 'secrets', name, value, contextOf(draft.options)),
    ),
  version: (_draft, node, scope) => readText(scope, node),
  'x-hivemind': (draft, node, scope) => {
    const map = readMap(scope, node);
    if (map) readKeys(scope, map, 'x-hivemind', {}, draft);
  },
};

/** Compile one file as it was read. Never throws, whatever the tree holds. */
export function compile(root: ComposeNode, options: CompileOptions): Compiled {
  const problems = new Problems();
  return compileTree(interpolate(root, options.environment, problems), options, problems);
}

/** Compile what loading made of the app's files: interpolated and merged; `problems` holds what it noted. */
export function compileTree(tree: ComposeNode, options: CompileOptions, problems: Problems): Compiled {
  const scope: Scope = { problems, path: '' };
  const draft: Draft = {
    options,
    declared: new Set(),
    services: new Map(),
    volumes: new Map(),
    networks: new Map(),
    configs: new Map(),
    secrets: new Map(),
  };
  if (tree.kind !== 'map') {
    mistyped({ ...scope, path: 'the file' }, tree, 'a map with services');
  } else {
    readKeys(scope, tree, 'file', topKeys, draft);
    if (!tree.entries.some((entry) => entry.key === 'services')) {
      const old = tree.entries.some(({ value }) => value.kind === 'map' && hasImage(value));
      problems.add(
        'HM-COMPOSE-TYPE',
        tree.at,
        'services is missing',
        old
          ? 'This is the form of the first Compose: write services: above, and everything one step further in.'
          : 'Add services: with at least one service.',
      );
    }
  }
  const name = appName(draft, problems);
  const services = checkWhole(problems, { ...draft, disabled: options.disabled ?? new Map() });
  const { warnings } = problems;
  if (problems.any) return { problems: problems.problems, warnings };
  return {
    spec: {
      name,
      services: Object.fromEntries(services),
      // The others are binds in disguise, or another app's: nothing is kept under their names.
      volumes: Object.fromEntries(
        [...draft.volumes].filter(([, { driverOptions, external }]) => !driverOptions && !external),
      ),
      ...(draft.networks.size > 0 ? { networks: Object.fromEntries(draft.networks) } : {}),
      ...(draft.configs.size > 0 ? { configs: Object.fromEntries(draft.configs) } : {}),
      ...(draft.secrets.size > 0 ? { secrets: Object.fromEntries(draft.secrets) } : {}),
    },
    warnings,
  };
}

const hasImage = ({ entries }: MapNode): boolean =>
  entries.some(({ key }) => key === 'image' || key === 'build');

const contextOf = ({ environment, projectDirectory, contents }: CompileOptions): ServiceContext => ({
  environment,
  projectDirectory,
  home: environment['HOME'],
  contents: contents ?? new Map(),
});

function readServices(draft: Draft, node: ComposeNode, scope: Scope): void {
  const map = readMap(scope, node);
  if (!map) return;
  if (map.entries.length === 0) mistyped(scope, node, 'a map with at least one service');
  if (map.entries.length > limits.composeServices) {
    const text = `${map.entries.length} services are more than ${limits.composeServices}`;
    scope.problems.add('HM-COMPOSE-LIMIT', node.at, text);
    return;
  }
  const context = contextOf(draft.options);
  for (const { key, keyAt, value } of map.entries) {
    const at = inside(scope, key);
    draft.declared.add(key);
    const service: MapNode | undefined = readMap(at, value);
    if (checkName(at, { at: keyAt }, key, 'a service') && service) {
      draft.services.set(key, readService(at, key, service, context));
    }
  }
}

function readNamed<Value>(
  scope: Scope,
  node: ComposeNode,
  what: string,
  found: Map<string, Value>,
  read: (scope: Scope, name: string, node: ComposeNode) => Value,
): void {
  if (node.kind === 'scalar' && node.value === null) return;
  for (const { key, keyAt, value } of readMap(scope, node)?.entries ?? []) {
    const at = inside(scope, key);
    const isFile = what === 'a config' || what === 'a secret';
    if (!isFile || !isFileName(key)) checkName(at, { at: keyAt }, key, what);
    // Declared under a wrong name is declared: who uses it is not told otherwise.
    found.set(key, read(at, key, value));
  }
}

function checkName(scope: Scope, node: Pick<ComposeNode, 'at'>, text: string, what: string): boolean {
  if (isName(text)) return true;
  const shown = JSON.stringify(text.slice(0, limits.nameChars + 1));
  const better = normalizeName(text);
  const hint = `Use up to ${limits.nameChars} lower-case letters, digits, - and _${better ? `, as in ${better}.` : '.'}`;
  scope.problems.add('HM-COMPOSE-NAME', node.at, `${shown} cannot be the name of ${what}`, hint);
  return false;
}

/** `-p`, else `name:`, else the directory's. */
function appName(draft: Draft, problems: Problems): string {
  const { name: given, projectDirectory } = draft.options;
  if (given !== undefined && !isName(given)) {
    problems.add('HM-COMPOSE-NAME', undefined, `${JSON.stringify(given)} cannot be the name of an app`);
  }
  const name =
    given ?? draft.name ?? normalizeName(projectDirectory.split('/').findLast((part) => part !== '') ?? '');
  if (name === '' && given === undefined && draft.name === undefined) {
    problems.add(
      'HM-COMPOSE-NAME',
      undefined,
      'The app has no name',
      'Give one: -p NAME, or name: in the file.',
    );
  }
  return name;
}
