/**
 * A persistent map from text to values: an update copies a path of at most a few small nodes and shares the rest,
 * so a supervisor with 5,000 children pays for a start what one with 5 pays. Plain data: it can be printed and sent.
 */

/** A leaf holds few entries; a fuller one becomes 16 branches, chosen by the next 4 bits of the key's hash. */
type Node<Value> =
  | { readonly entries: Readonly<Record<string, Value>>; readonly count: number }
  | { readonly branches: readonly (Node<Value> | undefined)[] };

export interface Table<Value> {
  readonly size: number;
  readonly root: Node<Value>;
}

const leafEntries = 16;
/** 7 levels of 4 bits; below, equal hashes share a leaf. */
const lastShift = 28;

const emptyLeaf = { entries: {}, count: 0 } as const;

export const emptyTable: Table<never> = { size: 0, root: emptyLeaf };

export function tableGet<Value>(table: Table<Value>, key: string): Value | undefined {
  let node: Node<Value> | undefined = table.root;
  for (let hash = hashOf(key); node !== undefined; hash >>>= 4) {
    if ('entries' in node) return Object.hasOwn(node.entries, key) ? node.entries[key] : undefined;
    node = node.branches[hash & 15];
  }
  return undefined;
}

export function tableSet<Value>(table: Table<Value>, key: string, value: Value): Table<Value> {
  const isNew = tableGet(table, key) === undefined;
  return { size: table.size + (isNew ? 1 : 0), root: setIn(table.root, key, value, hashOf(key), 0) };
}

export function tableDelete<Value>(table: Table<Value>, key: string): Table<Value> {
  if (tableGet(table, key) === undefined) return table;
  return { size: table.size - 1, root: deleteIn(table.root, key, hashOf(key)) ?? emptyLeaf };
}

/** Values in the order of their keys' hashes: arbitrary, but always the same. */
export function* tableEntries<Value>(table: Table<Value>): Generator<readonly [string, Value]> {
  yield* entriesOf(table.root);
}

function setIn<Value>(
  node: Node<Value> | undefined,
  key: string,
  value: Value,
  hash: number,
  shift: number,
): Node<Value> {
  if (node === undefined) return { entries: { [key]: value }, count: 1 };
  if ('branches' in node) {
    const at = hash & 15;
    return {
      branches: node.branches.with(at, setIn(node.branches[at], key, value, hash >>> 4, shift + 4)),
    };
  }
  const count = node.count + (Object.hasOwn(node.entries, key) ? 0 : 1);
  const entries = { ...node.entries, [key]: value };
  if (count <= leafEntries || shift >= lastShift) return { entries, count };
  const branches = new Array<Node<Value> | undefined>(16).fill(undefined);
  for (const [name, held] of Object.entries(entries)) {
    const rest = hashOf(name) >>> shift;
    branches[rest & 15] = setIn(branches[rest & 15], name, held, rest >>> 4, shift + 4);
  }
  return { branches };
}

function deleteIn<Value>(node: Node<Value>, key: string, hash: number): Node<Value> | undefined {
  if ('entries' in node) {
    if (node.count === 1) return undefined;
    const entries = { ...node.entries };
    delete (entries as Record<string, Value>)[key];
    return { entries, count: node.count - 1 };
  }
  const at = hash & 15;
  const branches = node.branches.with(at, deleteIn(node.branches[at]!, key, hash >>> 4));
  return branches.some((branch) => branch !== undefined) ? { branches } : undefined;
}

function* entriesOf<Value>(node: Node<Value>): Generator<readonly [string, Value]> {
  if ('entries' in node) yield* Object.entries(node.entries);
  else for (const branch of node.branches) if (branch !== undefined) yield* entriesOf(branch);
}

/** FNV-1a, 32 bits, of the UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  return hash >>> 0;
}
