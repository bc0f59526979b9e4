/**
 * Two Compose trees become one, by the specification's rules: maps key by key, lists one after the other, lists with
 * keys by their keys, commands whole; `!reset` and `!override` as they say. Every value keeps the place it stands at.
 */
import {
  isNothing,
  type ComposeNode,
  type ListNode,
  type MapEntry,
  type MapNode,
  type Problems,
} from '../document.ts';
import { keyedLists, named, oneOrMany, pairs, replaced } from './merge-keys.ts';

/** `path` from the root: `['services', 'web', 'ports']`. The later one's tags stay, for the file after it. */
export function mergeNodes(
  base: ComposeNode,
  over: ComposeNode,
  path: readonly string[],
  problems: Problems,
): ComposeNode {
  if (over.tag || base.tag) return over;
  const rule = ruleOf(path);
  if (rule !== undefined && replaced.has(rule)) return over;
  if (isNothing(over)) return base;
  if (isNothing(base)) return over;
  if (rule === 'logging' && otherDriver(base, over)) return over;
  const [first, second] = alike(base, over, rule);
  if (first.kind === 'map' && second.kind === 'map') {
    const each = rule !== undefined && pairs.has(rule) ? takeLater : undefined;
    return mergeMaps(first, second, path, problems, each);
  }
  if (first.kind === 'list' && second.kind === 'list') return mergeLists(first, second, rule);
  if (first.kind === 'scalar' && second.kind === 'scalar') return second;
  // A ulimit is a number or a map of two: either replaces the other.
  if (rule === 'ulimits.*' || path.at(-1)?.startsWith('x-')) return second;
  const text = `${path.join('.')}: a ${second.kind} cannot be merged with the ${first.kind} at ${base.at.file}:${base.at.line}`;
  problems.add('HM-COMPOSE-TYPE', over.at, text, 'Write both alike, or put !override before the later one.');
  return over;
}

const takeLater = (_base: ComposeNode, over: ComposeNode): ComposeNode => over;

/** Under a service, its keys with `*` for names that people choose; elsewhere `labels` and the like by their last word. */
function ruleOf(path: readonly string[]): string | undefined {
  if (path[0] !== 'services') return path.length === 3 && path[2] === 'labels' ? 'labels' : undefined;
  if (path.length < 3) return undefined;
  const keys = path.slice(2);
  if (keys.length > 1 && (keys[0] === 'networks' || keys[0] === 'ulimits')) keys[1] = '*';
  return keys.join('.');
}

function mergeMaps(
  base: MapNode,
  over: MapNode,
  path: readonly string[],
  problems: Problems,
  each?: (base: ComposeNode, over: ComposeNode) => ComposeNode,
): MapNode {
  const entries = new Map(base.entries.map((entry) => [entry.key, entry]));
  for (const entry of over.entries) {
    const earlier = entries.get(entry.key);
    const value = !earlier
      ? entry.value
      : each
        ? each(earlier.value, entry.value)
        : mergeNodes(earlier.value, entry.value, [...path, entry.key], problems);
    entries.set(entry.key, { ...entry, value });
  }
  return { kind: 'map', at: over.at, entries: [...entries.values()] };
}

/** The earlier list's items that nobody replaces stay where they are; a replaced one gives its place. */
function mergeLists(base: ListNode, over: ListNode, rule: string | undefined): ListNode {
  const keyOf = rule === undefined ? undefined : keyedLists[rule];
  if (!keyOf) return { kind: 'list', at: over.at, items: [...base.items, ...over.items] };
  const later = new Map<string, ComposeNode[]>();
  const rest: ComposeNode[] = [];
  const known = new Set(base.items.map(keyOf));
  for (const item of over.items) {
    const key = keyOf(item);
    if (key === undefined || !known.has(key)) rest.push(item);
    else later.set(key, [...(later.get(key) ?? []), item]);
  }
  const items = base.items.flatMap((item) => {
    const key = keyOf(item);
    if (key === undefined || !later.has(key)) return [item];
    const replacements = later.get(key)!;
    // Its place is taken once, whatever the earlier list repeats.
    later.set(key, []);
    return replacements;
  });
  return { kind: 'list', at: over.at, items: [...items, ...rest] };
}

/** Both in the form that can be merged, where the schema has two forms for one thing. */
function alike(
  base: ComposeNode,
  over: ComposeNode,
  rule: string | undefined,
): readonly [ComposeNode, ComposeNode] {
  if (rule === undefined) return [base, over];
  if (pairs.has(rule)) return both(base, over, pairsOf);
  if (Object.hasOwn(named, rule)) return both(base, over, (node) => namesOf(node, named[rule]!));
  if (oneOrMany.has(rule)) return both(base, over, listOf);
  if (rule === 'extra_hosts' && base.kind !== over.kind) return both(base, over, hostsOf);
  if (rule === 'build' && base.kind !== over.kind) return both(base, over, contextOf);
  return [base, over];
}

function both(
  base: ComposeNode,
  over: ComposeNode,
  form: (node: ComposeNode) => ComposeNode | undefined,
): readonly [ComposeNode, ComposeNode] {
  return [form(base) ?? base, form(over) ?? over];
}

function mapOf(node: ComposeNode, entries: readonly (MapEntry | undefined)[]): MapNode | undefined {
  const whole = entries.filter((entry) => entry !== undefined);
  if (whole.length < entries.length) return undefined;
  const unique = new Map(whole.map((entry) => [entry.key, entry]));
  return { kind: 'map', at: node.at, entries: [...unique.values()] };
}

function pairsOf(node: ComposeNode): ComposeNode | undefined {
  if (node.kind !== 'list') return undefined;
  const entries = node.items.map((item): MapEntry | undefined => {
    if (item.kind !== 'scalar' || item.value === null || item.tag) return undefined;
    const cut = item.text.indexOf('=');
    if (cut < 0) return { key: item.text, keyAt: item.at, value: { ...item, value: null, text: '' } };
    const text = item.text.slice(cut + 1);
    return { key: item.text.slice(0, cut), keyAt: item.at, value: { ...item, value: text, text } };
  });
  return mapOf(node, entries);
}

function namesOf(node: ComposeNode, means: 'nothing' | 'started'): ComposeNode | undefined {
  if (node.kind !== 'list') return undefined;
  const entries = node.items.map((item): MapEntry | undefined => {
    if (item.kind !== 'scalar' || item.value === null || item.tag) return undefined;
    const { at } = item;
    const nothing: ComposeNode = { kind: 'scalar', at, value: null, text: '' };
    const text = 'service_started';
    const condition: ComposeNode = { kind: 'scalar', at, value: text, text };
    const started: ComposeNode = {
      kind: 'map',
      at,
      entries: [{ key: 'condition', keyAt: at, value: condition }],
    };
    return { key: item.text, keyAt: at, value: means === 'started' ? started : nothing };
  });
  return mapOf(node, entries);
}

const listOf = (node: ComposeNode): ComposeNode | undefined =>
  node.kind === 'scalar' ? { kind: 'list', at: node.at, items: [node] } : undefined;

/** `{ db: 10.0.0.1, api: [10.0.0.2, 10.0.0.3] }` → `db=10.0.0.1`, … */
function hostsOf(node: ComposeNode): ComposeNode | undefined {
  if (node.kind !== 'map') return undefined;
  const items = node.entries.flatMap(({ key, value }) =>
    (value.kind === 'list' ? value.items : [value]).map((address): ComposeNode => {
      if (address.kind !== 'scalar') return address;
      const text = `${key}=${address.text}`;
      return { ...address, value: text, text };
    }),
  );
  return { kind: 'list', at: node.at, items };
}

const contextOf = (node: ComposeNode): ComposeNode | undefined =>
  node.kind === 'scalar'
    ? { kind: 'map', at: node.at, entries: [{ key: 'context', keyAt: node.at, value: node }] }
    : undefined;

function otherDriver(base: ComposeNode, over: ComposeNode): boolean {
  const driver = (node: ComposeNode): string | undefined => {
    const value = node.kind === 'map' ? node.entries.find(({ key }) => key === 'driver')?.value : undefined;
    return value?.kind === 'scalar' ? value.text : undefined;
  };
  const before = driver(base);
  const after = driver(over);
  return before !== undefined && after !== undefined && before !== after;
}

/** A tree whose files are all merged: what `!reset` marks is gone, what `!override` marks is ordinary. */
export function settle(node: ComposeNode): ComposeNode | undefined {
  if (node.tag === 'reset') return undefined;
  const { tag: _, ...plain } = node;
  if (plain.kind === 'scalar') return node.tag ? plain : node;
  if (plain.kind === 'list') {
    const items = plain.items.map(settle).filter((item) => item !== undefined);
    return sameItems(items, plain.items) && !node.tag ? node : { ...plain, items };
  }
  const entries = plain.entries.flatMap((entry) => {
    const value = settle(entry.value);
    if (value === undefined) return [];
    return value === entry.value ? [entry] : [{ ...entry, value }];
  });
  return sameItems(entries, plain.entries) && !node.tag ? node : { ...plain, entries };
}

const sameItems = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, at) => item === b[at]);
