/**
 * A Compose file, read with positions, becomes the app model; or every problem that it has, each with file and
 * line. Pure: the deployer's environment, home and project directory are arguments.
 * Read first: compose/document.ts (what comes in), model.ts (what goes out), compose/service.ts (the keys).
 */
import type { Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { Problems, type ComposeNode, type MapNode } from './compose/document.ts';
import { interpolate, type Environment } from './compose/interpolate.ts';
import { isName, normalizeName } from './compose/files/names.ts';
import { laterTopLevel, laterVolume } from './compose/keys.ts';
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
import { checkWhole } from './compose/whole.ts';
import type { AppSpec, VolumeSpec } from './model.ts';

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
}

const topKeys: KeyTable<Draft> = {
  name: (draft, node, scope) => {
    draft.name = readText(scope, node);
    if (draft.name !== undefined && draft.options.name === undefined)
      checkName(scope, node, draft.name, 'the app');
  },
  services: readServices,
  volumes: readVolumes,
  version: (_draft, node, scope) =>
    scope.problems.warn('HM-COMPOSE-KEY', node.at, 'version is obsolete and ignored'),
};

/** Compile one file as it was read. Never throws, whatever the tree holds. */
export function compile(root: ComposeNode, options: CompileOptions): Compiled {
  const problems = new Problems();
  return compileTree(interpolate(root, options.environment, problems), options, problems);
}

/** Compile what loading made of the app's files: interpolated and merged; `problems` holds what it noted. */
export function compileTree(tree: ComposeNode, options: CompileOptions, problems: Problems): Compiled {
  const scope: Scope = { problems, path: '' };
  const draft: Draft = { options, declared: new Set(), services: new Map(), volumes: new Map() };
  if (tree.kind !== 'map') {
    mistyped({ ...scope, path: 'the file' }, tree, 'a map with services');
  } else {
    readKeys(scope, tree, topKeys, draft, laterTopLevel);
    if (!tree.entries.some((entry) => entry.key === 'services')) {
      problems.add(
        'HM-COMPOSE-TYPE',
        tree.at,
        'services is missing',
        'Add services: with at least one service.',
      );
    }
  }
  const name = appName(draft, problems);
  checkWhole(problems, draft.services, draft.declared, new Set(draft.volumes.keys()), options.disabled);
  const { warnings } = problems;
  if (problems.any) return { problems: problems.problems, warnings };
  const services = [...draft.services].map(([key, { spec }]) => [key, spec] as const);
  return {
    spec: { name, services: Object.fromEntries(services), volumes: Object.fromEntries(draft.volumes) },
    warnings,
  };
}

function readServices(draft: Draft, node: ComposeNode, scope: Scope): void {
  const map = readMap(scope, node);
  if (!map) return;
  if (map.entries.length === 0) mistyped(scope, node, 'a map with at least one service');
  if (map.entries.length > limits.composeServices) {
    const text = `${map.entries.length} services are more than ${limits.composeServices}`;
    scope.problems.add('HM-COMPOSE-LIMIT', node.at, text);
    return;
  }
  const { environment, projectDirectory } = draft.options;
  const context = { environment, projectDirectory, home: environment['HOME'] };
  for (const { key, keyAt, value } of map.entries) {
    const at = inside(scope, key);
    draft.declared.add(key);
    const service: MapNode | undefined = readMap(at, value);
    if (checkName(at, { at: keyAt }, key, 'a service') && service) {
      draft.services.set(key, readService(at, key, service, context));
    }
  }
}

function readVolumes(draft: Draft, node: ComposeNode, scope: Scope): void {
  if (node.kind === 'scalar' && node.value === null) return;
  for (const { key, keyAt, value } of readMap(scope, node)?.entries ?? []) {
    const at = inside(scope, key);
    if (!checkName(at, { at: keyAt }, key, 'a volume')) continue;
    draft.volumes.set(key, { name: key });
    if (value.kind === 'scalar' && value.value === null) continue;
    const map = readMap(at, value);
    if (map) readKeys(at, map, {}, draft, laterVolume);
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
