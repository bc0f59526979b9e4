/** Typed reading of nodes: each reader gives the value, or notes a problem with file and line and gives `undefined`. */
import { limits } from '../../limits.ts';
import { nearest } from '../../suggest.ts';
import {
  describe,
  type ComposeNode,
  type ListNode,
  type MapNode,
  type Place,
  type Problems,
} from './document.ts';
import { parseDuration } from './values.ts';

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
  if (node.kind === 'scalar' && (node.text === 'true' || node.text === 'false')) return node.text === 'true';
  return mistyped(scope, node, 'true or false');
}

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
  return node.kind === 'list' ? node : mistyped(scope, node, 'a list');
}

export function readTexts(scope: Scope, node: ListNode): string[] {
  const texts: string[] = [];
  node.items.forEach((item, index) => {
    const text = readText(inside(scope, index), item);
    if (text !== undefined) texts.push(text);
  });
  return texts;
}

/** What to do with each key of a map: fills the draft. */
export type KeyTable<Draft> = Readonly<
  Record<string, (draft: Draft, node: ComposeNode, scope: Scope) => void>
>;

/** Every key is read by its table entry, ignored when it begins with `x-`, or refused by name. */
export function readKeys<Draft>(
  scope: Scope,
  map: MapNode,
  table: KeyTable<Draft>,
  draft: Draft,
  later: ReadonlySet<string> = new Set(),
): void {
  for (const { key, keyAt, value } of map.entries) {
    if (Object.hasOwn(table, key)) table[key]!(draft, value, inside(scope, key));
    else if (!key.startsWith('x-') || key === 'x-hivemind') refuseKey(scope, key, keyAt, table, later);
  }
}

function refuseKey(
  scope: Scope,
  key: string,
  at: Place,
  table: Readonly<Record<string, unknown>>,
  later: ReadonlySet<string>,
): void {
  const path = inside(scope, key).path;
  if (later.has(key)) {
    scope.problems.add('HM-COMPOSE-KEY', at, `${path} is not supported yet`, `Remove ${key}.`);
    return;
  }
  const meant = nearest(key, [...Object.keys(table), ...later]);
  const hint = meant ? `Did you mean ${meant}?` : undefined;
  scope.problems.add('HM-COMPOSE-KEY', at, `${path} is not a known key`, hint);
}
