/** `include:` as it is written, and what an included app adds to the one that includes it. */
import {
  excerpt,
  type ComposeNode,
  type MapEntry,
  type MapNode,
  type Place,
  type Problems,
} from '../document.ts';
import {
  inside,
  mistyped,
  readKeys,
  readList,
  readText,
  readTexts,
  type KeyTable,
  type Scope,
} from '../readers.ts';

export interface Inclusion {
  readonly at: Place;
  /** The first is the app, the others are merged over it. Not empty. */
  readonly paths: readonly string[];
  readonly projectDirectory?: string | undefined;
  readonly envFiles?: readonly string[] | undefined;
}

interface Draft {
  paths: readonly string[];
  projectDirectory?: string | undefined;
  envFiles?: readonly string[] | undefined;
}

const keys: KeyTable<Draft> = {
  path: (draft, node, scope) => (draft.paths = readTextOrTexts(scope, node)),
  project_directory: (draft, node, scope) => (draft.projectDirectory = readText(scope, node)),
  env_file: (draft, node, scope) => (draft.envFiles = readTextOrTexts(scope, node)),
};

function readTextOrTexts(scope: Scope, node: ComposeNode): readonly string[] {
  if (node.kind === 'list') return readTexts(scope, node);
  const text = readText(scope, node);
  return text === undefined ? [] : [text];
}

export function readInclude(node: ComposeNode, problems: Problems): readonly Inclusion[] {
  const scope: Scope = { problems, path: 'include' };
  if (node.kind === 'scalar' && node.value === null) return [];
  const inclusions: Inclusion[] = [];
  readList(scope, node)?.items.forEach((item, index) => {
    const at = inside(scope, index);
    const draft: Draft = { paths: [] };
    if (item.kind === 'map') readKeys(at, item, 'include', keys, draft);
    else draft.paths = readTextOrTexts(at, item);
    if (draft.paths.length === 0 || draft.paths.includes(''))
      mistyped(at, item, 'a path, or a map with path, project_directory and env_file');
    else inclusions.push({ at: item.at, ...draft });
  });
  return inclusions;
}

const sections = ['services', 'volumes', 'networks', 'secrets', 'configs', 'models'];

/** What only says something of a file by itself. */
const ownBusiness = new Set([...sections, 'include', 'name', 'version']);

/** The including app with the included one's parts. Parts of one name must be the same thing. */
export function importParts(
  into: MapNode,
  from: ComposeNode,
  rebase: (part: ComposeNode, section: string) => ComposeNode,
  problems: Problems,
): MapNode {
  if (from.kind !== 'map') return into;
  for (const { key, keyAt } of from.entries) {
    if (ownBusiness.has(key) || key.startsWith('x-')) continue;
    problems.add('HM-COMPOSE-KEY', keyAt, `${excerpt(key)} is not a known key`);
  }
  let tree = into;
  for (const section of sections) {
    const added = from.entries.find(({ key }) => key === section)?.value;
    if (added?.kind !== 'map') continue;
    const present = tree.entries.find(({ key }) => key === section);
    if (present && present.value.kind !== 'map') continue;
    const parts = new Map(present?.value.kind === 'map' ? present.value.entries.map((e) => [e.key, e]) : []);
    for (const part of added.entries) {
      const own = parts.get(part.key);
      if (!own) parts.set(part.key, part);
      else if (!same(rebase(own.value, section), part.value)) tellConflict(section, own, part, problems);
    }
    const value: MapNode = { kind: 'map', at: present?.value.at ?? added.at, entries: [...parts.values()] };
    const entry: MapEntry = { key: section, keyAt: present?.keyAt ?? added.at, value };
    tree = { ...tree, entries: [...tree.entries.filter(({ key }) => key !== section), entry] };
  }
  return tree;
}

function tellConflict(section: string, own: MapEntry, part: MapEntry, problems: Problems): void {
  const { file, line } = own.keyAt;
  const text = `${section}.${part.key} is included, and stands in ${file}:${line} as something else`;
  const hint = 'Rename one of them, or change the included one in a further -f file.';
  problems.add('HM-COMPOSE-REFERENCE', part.keyAt, text, hint);
}

/** The same content; order of keys and places apart. */
function same(a: ComposeNode, b: ComposeNode): boolean {
  if (a.kind === 'scalar' && b.kind === 'scalar') return a.value === b.value && a.text === b.text;
  if (a.kind === 'list' && b.kind === 'list')
    return a.items.length === b.items.length && a.items.every((item, at) => same(item, b.items[at]!));
  if (a.kind !== 'map' || b.kind !== 'map' || a.entries.length !== b.entries.length) return false;
  const others = new Map(b.entries.map(({ key, value }) => [key, value]));
  return a.entries.every(({ key, value }) => {
    const other = others.get(key);
    return other !== undefined && same(value, other);
  });
}
