/** Compose files made wrong: lines and words of good ones moved, doubled, cut and swapped for what parsers stumble on. */
import type { ComposeNode, MapEntry, Place } from '../../../protocols/apps/compose/document.ts';
import type { Random } from '../../../protocols/ports.ts';
import { below, keys, nasty, pick } from './nasty.ts';

type Mutation = (lines: string[], random: Random, other: readonly string[]) => void;

const lineOf = (lines: readonly string[], random: Random): number => below(random, lines.length);

const mutations: readonly Mutation[] = [
  (lines, random) => void lines.splice(lineOf(lines, random), 1 + below(random, 3)),
  (lines, random) => {
    const from = lineOf(lines, random);
    lines.splice(lineOf(lines, random), 0, ...lines.slice(from, from + 1 + below(random, 6)));
  },
  (lines, random) => {
    const [one, two] = [lineOf(lines, random), lineOf(lines, random)];
    [lines[one], lines[two]] = [lines[two]!, lines[one]!];
  },
  (lines, random) => {
    const line = lineOf(lines, random);
    const text = lines[line]!;
    lines[line] = random.next() < 0.5 ? `  ${text}` : text.replace(/^ {1,2}/, '');
  },
  // A value, a key, a word.
  (lines, random) => {
    const line = lineOf(lines, random);
    lines[line] = lines[line]!.replace(/: .*$|: *$/, `: ${pick(random, nasty)}`);
  },
  (lines, random) => {
    const line = lineOf(lines, random);
    lines[line] = lines[line]!.replace(/[\w.-]+(?=:)/, pick(random, keys));
  },
  (lines, random) => {
    const line = lineOf(lines, random);
    const words = lines[line]!.split(/\b/);
    words[below(random, Math.max(1, words.length))] = pick(random, random.next() < 0.5 ? nasty : keys);
    lines[line] = words.join('');
  },
  (lines, random) => {
    const line = lineOf(lines, random);
    const indent = /^ */.exec(lines[line]!)![0];
    lines.splice(line, 0, `${indent}${pick(random, keys)}: ${pick(random, nasty)}`);
  },
  // Characters.
  (lines, random) => {
    const line = lineOf(lines, random);
    const text = lines[line]!;
    const cut = below(random, text.length + 1);
    const char = String.fromCodePoint(
      pick(random, [0, 9, 10, 13, 34, 39, 58, 91, 123, 0x85, 0x2028, 0xfeff, 0x1f986, below(random, 0xd7ff)]),
    );
    lines[line] =
      random.next() < 0.5
        ? text.slice(0, cut) + char + text.slice(cut)
        : text.slice(0, cut) + text.slice(cut + 1);
  },
  // Much of something.
  (lines, random) => {
    const line = lineOf(lines, random);
    const many = pick(random, [2, 64, 65, 255, 1_000]);
    lines[line] = pick(random, [
      `${lines[line]!}${'x'.repeat(many)}`,
      lines[line]!.replace(/: .*$/, `: ${'['.repeat(many)}${']'.repeat(many)}`),
      lines[line]!.replace(
        /: .*$/,
        `: [${Array.from({ length: many }, (_, i) => `"${i}:${i}"`).join(', ')}]`,
      ),
      lines[line]!.replace(
        /: .*$/,
        `: {${Array.from({ length: many }, (_, i) => `k${i}: ${i}`).join(', ')}}`,
      ),
      lines[line]!.replace(/: .*$/, `: "${'${A:-'.repeat(many)}${'}'.repeat(many)}"`),
    ]);
  },
  (lines, random) => {
    const depth = 2 + below(random, 12);
    const bomb = Array.from({ length: depth }, (_, i) => `x-b${i + 1}: &b${i + 1} [*b${i}, *b${i}, *b${i}]`);
    lines.unshift('x-b0: &b0 [1, 2, 3]', ...bomb);
    lines.push(`x-end: *b${depth}`);
  },
  // Two files in one.
  (lines, random, other) => {
    const from = below(random, other.length);
    lines.splice(
      lineOf(lines, random),
      below(random, lines.length),
      ...other.slice(from, from + 1 + below(random, 20)),
    );
  },
];

/** One to eight mutations. */
export function mutated(text: string, other: string, random: Random): string {
  const lines = text.split('\n');
  const otherLines = other.split('\n');
  for (let left = 1 + below(random, 8); left > 0; left--) {
    if (lines.length === 0) lines.push('');
    pick(random, mutations)(lines, random, otherLines);
  }
  return lines.join('\n');
}

const place: Place = { file: 'mutant', line: 1, column: 1 };

function scalar(text: string): ComposeNode {
  const plain: Readonly<Record<string, null | boolean | number>> = {
    null: null,
    '~': null,
    true: true,
    '-1': -1,
    '0': 0,
    '65536': 65_536,
  };
  const value = Object.hasOwn(plain, text) ? plain[text]! : text;
  return { kind: 'scalar', at: place, value, text: value === null ? '' : text };
}

function invented(random: Random, depth: number): ComposeNode {
  const kind = depth > 3 ? 0 : below(random, 6);
  const tag = random.next() < 0.05 ? { tag: pick(random, ['reset', 'override'] as const) } : {};
  if (kind < 4) return { ...scalar(pick(random, nasty).replaceAll(/^"|"$/g, '')), ...tag };
  const count = below(random, 4);
  if (kind === 4)
    return {
      kind: 'list',
      at: place,
      items: Array.from({ length: count }, () => invented(random, depth + 1)),
      ...tag,
    };
  const entries = Array.from({ length: count }, (): MapEntry => entryOf(random, invented(random, depth + 1)));
  return {
    kind: 'map',
    at: place,
    entries: [...new Map(entries.map((entry) => [entry.key, entry])).values()],
    ...tag,
  };
}

const entryOf = (random: Random, value: ComposeNode): MapEntry => ({
  key: random.next() < 0.9 ? pick(random, keys) : pick(random, nasty),
  keyAt: place,
  value,
});

/** Any part of a tree, the deeper the likelier to be a leaf. */
function somewhere(node: ComposeNode, random: Random): ComposeNode {
  let at = node;
  for (;;) {
    const children =
      at.kind === 'map' ? at.entries.map(({ value }) => value) : at.kind === 'list' ? at.items : [];
    if (children.length === 0 || random.next() < 0.2) return at;
    at = pick(random, children);
  }
}

function changedNode(node: ComposeNode, other: ComposeNode, random: Random): ComposeNode {
  const chance = random.next();
  if (node.kind === 'scalar') {
    if (chance < 0.5) return scalar(pick(random, nasty));
    if (chance < 0.6) return scalar(`${node.text}${pick(random, nasty)}`);
    if (chance < 0.7) return scalar(node.text.slice(0, 1_000).repeat(below(random, 300)));
    if (chance < 0.75) return { ...node, tag: pick(random, ['reset', 'override'] as const) };
    return chance < 0.9 ? invented(random, 0) : somewhere(other, random);
  }
  if (node.kind === 'list') {
    const items = [...node.items];
    if (chance < 0.3) items.splice(below(random, items.length + 1), below(random, 2), invented(random, 1));
    else if (chance < 0.5) items.push(...items.slice(0, 50));
    else if (chance < 0.6) return invented(random, 0);
    else items.splice(below(random, items.length + 1), 1);
    return { ...node, items };
  }
  const entries = new Map(node.entries.map((entry) => [entry.key, entry]));
  const victim = node.entries.length > 0 ? pick(random, node.entries) : undefined;
  if (chance < 0.3 && victim) entries.delete(victim.key);
  if (chance < 0.7) {
    const entry = entryOf(random, random.next() < 0.5 ? invented(random, 1) : somewhere(other, random));
    entries.set(entry.key, entry);
  } else if (chance < 0.85 && victim) {
    const { key } = entryOf(random, victim.value);
    entries.set(key, { ...victim, key });
  } else return chance < 0.95 ? somewhere(other, random) : invented(random, 0);
  return { ...node, entries: [...entries.values()] };
}

/** One change, a random way down. */
function changed(node: ComposeNode, other: ComposeNode, random: Random): ComposeNode {
  const size = node.kind === 'map' ? node.entries.length : node.kind === 'list' ? node.items.length : 0;
  if (size === 0 || random.next() < 0.12) return changedNode(node, other, random);
  const chosen = below(random, size);
  if (node.kind === 'list')
    return {
      ...node,
      items: node.items.map((item, at) => (at === chosen ? changed(item, other, random) : item)),
    };
  if (node.kind !== 'map') return node;
  const entries = node.entries.map((entry, at) =>
    at === chosen ? { ...entry, value: changed(entry.value, other, random) } : entry,
  );
  return { ...node, entries };
}

/** One to six changes. */
export function mutatedTree(tree: ComposeNode, other: ComposeNode, random: Random): ComposeNode {
  let result = tree;
  for (let left = 1 + below(random, 6); left > 0; left--) result = changed(result, other, random);
  return result;
}
