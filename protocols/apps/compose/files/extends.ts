/**
 * `extends`: a service takes another's definition, of its own file or of another, and says what differs. Chains are
 * followed, circles refused; what comes of another file keeps that file's meaning of relative paths.
 */
import { limits } from '../../../limits.ts';
import { nearest } from '../../../suggest.ts';
import {
  textOf,
  withField,
  type ComposeNode,
  type MapEntry,
  type MapNode,
  type Place,
  type Problems,
} from '../document.ts';
import { mistyped, readKeys, readText, type KeyTable, type Scope } from '../readers.ts';
import { resolvePath } from '../values.ts';
import { mergeNodes, settle } from './merge.ts';
import { rebaseService } from './rebase.ts';
import type { Loading } from './requests.ts';

/** Where a name of a service means something. */
export interface ServiceScope {
  /** Absolute; what a circle is recognised by. */
  readonly path: string;
  /** Where relative paths in it start. */
  readonly directory: string;
  readonly services: ReadonlyMap<string, ComposeNode>;
  /** Services whose `extends` is done. */
  readonly done: Map<string, ComposeNode>;
}

export interface ExtendsContext {
  readonly problems: Problems;
  /** Another file's services; `undefined` when it could not be read, which has been told. */
  open(path: string, at: Place): Loading<ServiceScope | undefined>;
}

export const scopeOf = (root: ComposeNode, path: string, directory: string): ServiceScope => {
  const services =
    root.kind === 'map' ? root.entries.find(({ key }) => key === 'services')?.value : undefined;
  const entries = services?.kind === 'map' ? services.entries : [];
  return {
    path,
    directory,
    services: new Map(entries.map(({ key, value }) => [key, value])),
    done: new Map(),
  };
};

/** The same tree with every `extends` done. */
export function* applyExtends(
  root: ComposeNode,
  scope: ServiceScope,
  context: ExtendsContext,
): Loading<ComposeNode> {
  if (root.kind !== 'map') return root;
  const entries: MapEntry[] = [];
  for (const entry of root.entries) {
    if (entry.key !== 'services' || entry.value.kind !== 'map') {
      entries.push(entry);
      continue;
    }
    const services: MapEntry[] = [];
    for (const service of entry.value.entries)
      services.push({ ...service, value: yield* extended(scope, service.key, service.value, [], context) });
    entries.push({ ...entry, value: { ...entry.value, entries: services } });
  }
  return { ...root, entries };
}

interface Reference {
  service?: string | undefined;
  file?: string | undefined;
}

const referenceKeys: KeyTable<Reference> = {
  service: (draft, node, scope) => (draft.service = readText(scope, node)),
  file: (draft, node, scope) => (draft.file = readText(scope, node)),
};

interface Step {
  readonly path: string;
  readonly name: string;
}

function* extended(
  scope: ServiceScope,
  name: string,
  service: ComposeNode,
  trail: readonly Step[],
  context: ExtendsContext,
): Loading<ComposeNode> {
  const known = scope.done.get(name);
  if (known) return known;
  const wish =
    service.kind === 'map' ? service.entries.find(({ key }) => key === 'extends')?.value : undefined;
  if (service.kind !== 'map' || !wish || wish.tag === 'reset') return service;
  const own = withField(service, 'extends', undefined);
  const merged = yield* withBase(scope, name, own, wish, trail, context);
  scope.done.set(name, merged);
  return merged;
}

function* withBase(
  scope: ServiceScope,
  name: string,
  own: MapNode,
  wish: ComposeNode,
  trail: readonly Step[],
  context: ExtendsContext,
): Loading<ComposeNode> {
  const { problems } = context;
  const reading: Scope = { problems, path: `services.${name}.extends` };
  const reference = readReference(reading, wish);
  if (!reference) return own;
  const steps = [...trail, { path: scope.path, name }];
  if (steps.length > limits.composeExtends) {
    problems.add(
      'HM-COMPOSE-LIMIT',
      wish.at,
      `${reading.path}: a chain of more than ${limits.composeExtends}`,
    );
    return own;
  }
  const { file } = reference;
  const there = file === undefined ? scope : yield* context.open(resolvePath(scope.directory, file), wish.at);
  if (!there) return own;
  const base = there.services.get(reference.service);
  if (!base) {
    const near = nearest(reference.service, there.services.keys());
    const where = file === undefined ? '' : ` in ${file}`;
    const text = `${reading.path}: there is no service ${reference.service}${where}`;
    problems.add(
      'HM-COMPOSE-REFERENCE',
      wish.at,
      text,
      near === undefined ? undefined : `Did you mean ${near}?`,
    );
    return own;
  }
  if (steps.some((step) => step.path === there.path && step.name === reference.service)) {
    const circle = [...steps.map((step) => step.name), reference.service].join(' → ');
    const hint = 'Remove one extends of the circle.';
    problems.add('HM-COMPOSE-CYCLE', wish.at, `services extend each other in a circle: ${circle}`, hint);
    return own;
  }
  const whole = settle(yield* extended(there, reference.service, base, steps, context));
  if (whole?.kind !== 'map') return own;
  const moved = there.directory === scope.directory ? whole : rebaseService(whole, there.directory);
  return mergeNodes(moved, own, ['services', name], problems);
}

function readReference(scope: Scope, wish: ComposeNode): { service: string; file?: string } | undefined {
  const draft: Reference = {};
  if (wish.kind === 'map') readKeys(scope, wish, 'services.extends', referenceKeys, draft);
  else draft.service = textOf(wish);
  const { service, file } = draft;
  if (service === undefined || service === '')
    return mistyped(scope, wish, 'the name of a service, or a map of service and file');
  return { service, ...(file === undefined ? {} : { file }) };
}
