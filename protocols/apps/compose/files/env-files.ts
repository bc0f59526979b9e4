/**
 * `env_file` and `label_file` of services, folded into their `environment` and `labels`: later files win over earlier
 * ones, what the service says itself wins over all. Each variable keeps the file and line it stands at.
 */
import { limits } from '../../../limits.ts';
import {
  isNothing,
  withField,
  type ComposeNode,
  type MapEntry,
  type MapNode,
  type Place,
} from '../document.ts';
import { lookupIn, type Environment } from '../interpolate.ts';
import { inside, mistyped, readBoolean, readKeys, readText, type KeyTable, type Scope } from '../readers.ts';
import { resolvePath } from '../values.ts';
import { parseEnvFile, type EnvValue } from './dotenv.ts';
import { mergeNodes } from './merge.ts';
import type { Reading } from './project.ts';
import type { Loading } from './requests.ts';

export interface EnvFileContext {
  readonly reading: Reading;
  /** Relative paths start here. */
  readonly directory: string;
  readonly environment: Environment;
  /** By path and format: services share files. */
  readonly known: Map<string, ReadonlyMap<string, EnvValue> | undefined>;
}

/** The same tree without `env_file` and `label_file`. */
export function* foldEnvFiles(root: ComposeNode, context: EnvFileContext): Loading<ComposeNode> {
  const services =
    root.kind === 'map' ? root.entries.find(({ key }) => key === 'services')?.value : undefined;
  if (root.kind !== 'map' || services?.kind !== 'map') return root;
  const entries: MapEntry[] = [];
  for (const entry of services.entries) {
    const { key, value } = entry;
    if (value.kind !== 'map') {
      entries.push(entry);
      continue;
    }
    const withVariables = yield* fold(value, key, 'env_file', 'environment', context);
    entries.push({ ...entry, value: yield* fold(withVariables, key, 'label_file', 'labels', context) });
  }
  return withField(root, 'services', { ...services, entries });
}

interface Source {
  path?: string | undefined;
  required: boolean;
  raw: boolean;
}

const sourceKeys: KeyTable<Source> = {
  path: (draft, node, scope) => (draft.path = readText(scope, node)),
  required: (draft, node, scope) => (draft.required = readBoolean(scope, node) ?? true),
  format: (draft, node, scope) => {
    const format = readText(scope, node);
    if (format !== undefined && format !== 'raw') mistyped(scope, node, 'raw, or left out');
    draft.raw = format === 'raw';
  },
};

function* fold(
  service: MapNode,
  name: string,
  key: 'env_file' | 'label_file',
  into: 'environment' | 'labels',
  context: EnvFileContext,
): Loading<MapNode> {
  const node = service.entries.find((entry) => entry.key === key)?.value;
  if (!node) return service;
  const { problems } = context.reading;
  const scope: Scope = { problems, path: `services.${name}.${key}` };
  const rest = withField(service, key, undefined);
  const values = new Map<string, EnvValue>();
  const sources = node.kind === 'list' ? node.items : isNothing(node) ? [] : [node];
  for (const [index, item] of sources.entries()) {
    const at = node.kind === 'list' ? inside(scope, index) : scope;
    const draft: Source = { required: true, raw: false };
    if (item.kind === 'map' && key === 'env_file') readKeys(at, item, 'services.env_file', sourceKeys, draft);
    else draft.path = readText(at, item);
    if (draft.path === undefined || draft.path === '') {
      if (item.kind === 'map' && draft.path === undefined) mistyped(at, item, 'a path, or a map with path');
      continue;
    }
    const found = yield* variablesOf(at, item.at, { ...draft, path: draft.path }, context);
    for (const [variable, value] of found ?? []) values.set(variable, value);
  }
  const own = rest.entries.find((entry) => entry.key === into)?.value;
  const read = asMap(values, node.at, lookupIn(context.environment));
  if (read.entries.length === 0) return rest;
  const outer = lookupIn(context.environment);
  const merged =
    own && !isNothing(own)
      ? mergeNodes(read, withoutUnset(own, outer), ['services', name, into], problems)
      : read;
  return withField(rest, into, merged);
}

/** A name alone that the deployer has no value for leaves what the files say. */
function withoutUnset(own: ComposeNode, outer: (name: string) => string | undefined): ComposeNode {
  if (own.kind === 'map')
    return {
      ...own,
      entries: own.entries.filter(({ key, value }) => !isNothing(value) || outer(key) !== undefined),
    };
  if (own.kind !== 'list') return own;
  const kept = (item: ComposeNode): boolean =>
    item.kind !== 'scalar' || item.text.includes('=') || outer(item.text) !== undefined;
  return { ...own, items: own.items.filter(kept) };
}

function asMap(
  values: ReadonlyMap<string, EnvValue>,
  at: Place,
  outer: (name: string) => string | undefined,
): MapNode {
  const entries = [...values].flatMap(([key, { value = outer(key), at: place }]): MapEntry[] =>
    value === undefined
      ? []
      : [{ key, keyAt: place, value: { kind: 'scalar', at: place, value, text: value } }],
  );
  return { kind: 'map', at, entries };
}

function* variablesOf(
  scope: Scope,
  at: Place,
  { path, required, raw }: Source & { readonly path: string },
  { reading, directory, environment, known }: EnvFileContext,
): Loading<ReadonlyMap<string, EnvValue> | undefined> {
  const absolute = resolvePath(directory, homely(path, environment));
  const key = `${raw ? 'raw' : 'plain'} ${absolute}`;
  if (!known.has(key)) {
    const answer = yield { want: 'bytes', path: absolute, most: limits.composeFileBytes };
    if ('bytes' in answer) {
      const { problems, budget } = reading;
      const text = new TextDecoder().decode(answer.bytes);
      const options = { file: reading.label(absolute), raw, lookup: lookupIn(environment), problems, budget };
      known.set(key, parseEnvFile(text, options));
    } else {
      if ('failed' in answer && (required || !answer.absent)) {
        const hint = answer.absent ? 'Create the file, or write required: false beside its path.' : undefined;
        reading.problems.add(answer.failed.code, at, `${scope.path}: ${answer.failed.message}`, hint);
      }
      return undefined;
    }
  }
  return known.get(key);
}

const homely = (path: string, environment: Environment): string => {
  const home = lookupIn(environment)('HOME');
  return home !== undefined && (path === '~' || path.startsWith('~/')) ? `${home}${path.slice(1)}` : path;
};
