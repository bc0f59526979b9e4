/** Typed reading of nodes: each reader gives the value, or notes a problem with file and line and gives `undefined`. */
import { limits } from '../../limits.ts';
import { nearest } from '../../suggest.ts';
import {
  describe,
  excerpt,
  type ComposeNode,
  type ListNode,
  type MapNode,
  type Place,
  type Problems,
} from './document.ts';
import { supportMatrix, type SectionName } from './support/matrix.ts';
import type { Support } from './support/support.ts';
import { parseBytes, parseDuration, parseFileMode, resolvePath } from './values.ts';

/** Where a reader stands: what to call the value (`services.web.ports`) and where to complain. */
export interface Scope {
  readonly problems: Problems;
  readonly path: string;
}

export const inside = (scope: Scope, key: string | number): Scope => ({
  ...scope,
  path: typeof key === 'number' ? `${scope.path}[${key}]` : scope.path ? `${scope.path}.${key}` : key,
});

export function mistyped(scope: Scope, node: ComposeNode, wanted: string): undefined {
  scope.problems.add('HM-COMPOSE-TYPE', node.at, `${scope.path} must be ${wanted}, not ${describe(node)}`);
  return undefined;
}

export function refuse(scope: Scope, at: Place, text: string, hint?: string): undefined {
  scope.problems.add('HM-COMPOSE-TYPE', at, `${scope.path}: ${text}`, hint);
  return undefined;
}

/** Text, or a number or truth value as it was written; nothing that a C string could not hold. */
export function readText(scope: Scope, node: ComposeNode): string | undefined {
  if (node.kind !== 'scalar' || node.value === null) return mistyped(scope, node, 'a text');
  if (node.text.includes('\0')) return refuse(scope, node.at, 'a text cannot hold a NUL character');
  return node.text;
}

export function readInteger(
  scope: Scope,
  node: ComposeNode,
  least: number,
  most: number,
): number | undefined {
  const text = node.kind === 'scalar' ? node.text : '';
  const value = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (value === undefined) return mistyped(scope, node, 'a whole number');
  if (value < least || value > most) return mistyped(scope, node, `between ${least} and ${most}`);
  return value;
}

export function readBoolean(scope: Scope, node: ComposeNode): boolean | undefined {
  const text = node.kind === 'scalar' ? node.text.toLowerCase() : '';
  if (text === 'true' || text === 'yes' || text === 'on') return true;
  if (text === 'false' || text === 'no' || text === 'off') return false;
  return mistyped(scope, node, 'true or false');
}

/** Also below zero, as `-1` for what has no bound. */
export function readSigned(scope: Scope, node: ComposeNode, least: number, most: number): number | undefined {
  const text = node.kind === 'scalar' ? node.text : '';
  if (!/^-?\d{1,15}$/.test(text)) return mistyped(scope, node, 'a whole number');
  const value = Number(text);
  if (value < least || value > most) return mistyped(scope, node, `between ${least} and ${most}`);
  return value;
}

export function readNumber(scope: Scope, node: ComposeNode, least: number, most: number): number | undefined {
  const text = node.kind === 'scalar' ? node.text : '';
  const value = /^\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined;
  if (value === undefined) return mistyped(scope, node, 'a number');
  if (value < least || value > most) return mistyped(scope, node, `between ${least} and ${most}`);
  return value;
}

export function readBytes(scope: Scope, node: ComposeNode): number | undefined {
  const bytes = node.kind === 'scalar' ? parseBytes(node.text) : undefined;
  return bytes ?? mistyped(scope, node, 'a size like 64m or a number of bytes');
}

export function readFileMode(scope: Scope, node: ComposeNode): number | undefined {
  const mode = node.kind === 'scalar' ? parseFileMode(node.text) : undefined;
  return mode ?? mistyped(scope, node, 'an octal file mode like 1777');
}

/** Without `.` and `..`, below the root of a container. */
export function readAbsolute(scope: Scope, node: ComposeNode): string | undefined {
  const text = readText(scope, node);
  if (text === undefined) return undefined;
  return text.startsWith('/') ? resolvePath('/', text) : mistyped(scope, node, 'an absolute path');
}

/** A reader of one of these words. */
export const oneOf =
  <Word extends string>(...words: readonly Word[]) =>
  (scope: Scope, node: ComposeNode): Word | undefined => {
    const text = readText(scope, node);
    if (text === undefined) return undefined;
    return (
      words.find((word) => word === text) ??
      mistyped(scope, node, words.join(', ').replace(/, (?=[^,]*$)/, ' or '))
    );
  };

/** Whole milliseconds. */
export function readDuration(scope: Scope, node: ComposeNode): number | undefined {
  const ms = node.kind === 'scalar' ? parseDuration(node.text) : undefined;
  if (ms !== undefined && ms > limits.composeDurationMs) return mistyped(scope, node, 'at most 24h');
  return ms ?? mistyped(scope, node, 'a duration like 10s or 1m30s');
}

export function readMap(scope: Scope, node: ComposeNode): MapNode | undefined {
  return node.kind === 'map' ? node : mistyped(scope, node, 'a map');
}

export function readList(scope: Scope, node: ComposeNode): ListNode | undefined {
  if (node.kind !== 'list') return mistyped(scope, node, 'a list');
  return assertShort(scope, node.at, node.items.length) ? node : undefined;
}

/** Whether a list is one that the model takes. */
export function assertShort(scope: Scope, at: Place, length: number): boolean {
  if (length <= limits.composeItems) return true;
  const text = `${scope.path} has ${length} items, more than ${limits.composeItems}`;
  scope.problems.add('HM-COMPOSE-LIMIT', at, text);
  return false;
}

export function readTexts(scope: Scope, node: ListNode): string[] {
  const texts: string[] = [];
  if (!assertShort(scope, node.at, node.items.length)) return texts;
  node.items.forEach((item, index) => {
    const text = readText(inside(scope, index), item);
    if (text !== undefined) texts.push(text);
  });
  return texts;
}

/** A text alone is a list of one. */
export function readTextOrTexts(scope: Scope, node: ComposeNode): string[] | undefined {
  if (node.kind === 'list') return readDistinct(scope, node);
  const text = readText(scope, node);
  return text === undefined ? undefined : [text];
}

export function readDistinct(scope: Scope, node: ComposeNode): string[] | undefined {
  const list = readList(scope, node);
  if (!list) return undefined;
  const texts = readTexts(scope, list);
  const seen = new Set<string>();
  const twice = texts.find((text) => seen.size === seen.add(text).size);
  return twice === undefined ? texts : refuse(scope, node.at, `${excerpt(twice)} stands in the list twice`);
}

/** A map, or a list of `name=value`; a name without a value has the empty text. */
export function readPairs(scope: Scope, node: ComposeNode): Record<string, string> | undefined {
  const pairs: [string, string][] = [];
  if (node.kind === 'map') {
    for (const { key, value } of node.entries) {
      const empty = value.kind === 'scalar' && value.value === null;
      const text = empty ? '' : readText(inside(scope, key), value);
      if (text !== undefined) pairs.push([key, text]);
    }
  } else if (node.kind === 'list') {
    for (const text of readDistinct(scope, node) ?? []) {
      const cut = text.indexOf('=');
      pairs.push(cut < 0 ? [text, ''] : [text.slice(0, cut), text.slice(cut + 1)]);
    }
  } else if (node.value !== null) return mistyped(scope, node, 'a map or a list of name=value');
  if (pairs.some(([name]) => name === '')) return refuse(scope, node.at, 'a name is empty');
  return Object.fromEntries(pairs);
}

/** What to do with each key of a map: fills the draft. */
export type Reader<Draft> = (draft: Draft, node: ComposeNode, scope: Scope) => void;
export type KeyTable<Draft> = Readonly<Record<string, Reader<Draft>>>;

/**
 * Every key is treated as the support matrix says: read by its table entry, with a warning where it has no effect,
 * or refused. Other keys are ignored when they begin with `x-`, else refused by name.
 */
export function readKeys<Draft>(
  scope: Scope,
  map: MapNode,
  section: SectionName,
  table: KeyTable<Draft>,
  draft: Draft,
): void {
  const known = supportMatrix[section];
  for (const { key, keyAt, value } of map.entries) {
    const at = inside(scope, key);
    const support = Object.hasOwn(known, key) ? known[key] : undefined;
    if (support) {
      const read = Object.hasOwn(table, key) ? table[key] : undefined;
      if (support.status === 'refused' && !read) refuseKey(at, keyAt, support);
      if (support.status === 'warning' || support.status === 'cluster') warnOfKey(at, keyAt, support);
      if (read) read(draft, value, at);
      else if (support.status === 'supported' && !support.inherent)
        // include, extends, profiles and env_file are worked in before: what is left of them here was not.
        refuseKey(at, keyAt, { why: 'it is worked in while files are read, not here' });
    } else if (!key.startsWith('x-')) unknownKey(at, key, keyAt, Object.keys(known));
  }
}

export function refuseKey(
  scope: Scope,
  at: Place,
  { why, instead }: { readonly why: string; readonly instead?: string | undefined },
): void {
  scope.problems.add('HM-COMPOSE-KEY', at, `${scope.path} is refused: ${why}`, instead);
}

export function warnOfKey(scope: Scope, at: Place, { status, why, instead }: Support): void {
  const when = status === 'cluster' ? 'has no effect on one node' : 'has no effect';
  scope.problems.warn('HM-COMPOSE-KEY', at, `${scope.path} ${when}: ${why}`, instead);
}

function unknownKey(scope: Scope, key: string, at: Place, known: readonly string[]): void {
  const meant = nearest(key, known);
  const hint = meant ? `Did you mean ${meant}?` : undefined;
  scope.problems.add('HM-COMPOSE-KEY', at, `${scope.path} is not a known key`, hint);
}
