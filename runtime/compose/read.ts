/**
 * YAML text → plain tree with positions, for `protocols/apps/compile.ts`. Anchors, aliases and merge keys are
 * resolved here; a key written twice is refused; everything that could grow without end has a bound.
 */
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type Pair,
  type Scalar,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import type { ComposeNode, MapEntry, MergeTag, Place } from '../../protocols/apps/compose/document.ts';
import { coded, CodedError, type ErrorCode, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';

export interface ComposeText {
  /** As messages should call it: `compose.yaml`. */
  readonly file: string;
  readonly text: string;
}

export type ReadResult = { readonly root: ComposeNode } | { readonly problems: readonly Reason[] };

/** Read one file. Never throws, whatever the text. */
export function readCompose(source: ComposeText): ReadResult {
  const lines = new LineCounter();
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(Math.max(0, Math.min(offset, source.text.length)));
    return { file: source.file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  try {
    if (source.text.length > limits.composeFileBytes)
      throw tooLarge(place(0), 'the file', 'composeFileBytes');
    const document = parseDocument(source.text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      merge: false,
      // Silent, a second document would be left out.
      logLevel: 'error',
    });
    const mistakes = [...document.errors, ...document.warnings].filter((each) => !isMergeTag(each));
    if (mistakes.some(({ code }) => code === 'RESOURCE_EXHAUSTION'))
      throw new RangeError('nested too deeply');
    if (mistakes.length > 0) {
      const listed = mistakes.slice(0, limits.composeProblems);
      return {
        problems: listed.map((error) => mistake(error, place(error.pos[0])).reason),
      };
    }
    return { root: new TreeBuilder(document, place).build(document.contents, 0, 0) };
  } catch (thrown) {
    if (thrown instanceof CodedError) return { problems: [thrown.reason] };
    if (thrown instanceof RangeError)
      return { problems: [tooLarge(place(0), 'the nesting', 'composeDepth').reason] };
    throw thrown;
  }
}

/** `!reset` and `!override`, which YAML itself does not know. */
const mergeTags: Readonly<Record<string, MergeTag>> = { '!reset': 'reset', '!override': 'override' };

const isMergeTag = ({ code, message }: YAMLError): boolean =>
  code === 'TAG_RESOLVE_FAILED' && /^Unresolved tag: !(?:reset|override)$/.test(message);

const tagOf = (node: Node): { readonly tag?: MergeTag } => {
  const tag = node.tag === undefined ? undefined : mergeTags[node.tag];
  return tag === undefined ? {} : { tag };
};

/** What is wrong may quote the whole of a long line. */
const clipped = (text: string): string => (text.length > 300 ? `${text.slice(0, 299)}…` : text);

function mistake({ code, message }: YAMLError, at: Place): CodedError {
  if (code !== 'MULTIPLE_DOCS') return failure('HM-COMPOSE-SYNTAX', at, clipped(message));
  const { reason } = failure('HM-COMPOSE-SYNTAX', at, 'another YAML document (---) begins here');
  const hint = 'One document a file: give each a file of its own, and name them in order: -f ONE -f OTHER';
  return new CodedError({ ...reason, hint });
}

function failure(code: ErrorCode, at: Place, text: string): CodedError {
  const evidence = { file: at.file, line: at.line, column: at.column };
  return coded(code, `${at.file}:${at.line}: ${text}`, evidence);
}

const tooLarge = (
  at: Place,
  what: string,
  limit: 'composeFileBytes' | 'composeDepth' | 'composeNodes' | 'composeAliases',
): CodedError => failure('HM-COMPOSE-LIMIT', at, `${what} is more than the limit of ${limits[limit]}`);

type Content = Node | null | undefined;

class TreeBuilder {
  readonly #document: Document.Parsed;
  readonly #place: (offset: number) => Place;
  /** Collections being built: an alias to one of them would never end. */
  readonly #open = new Set<Node>();
  /** What each alias means: the last anchor of its name before it. Found in one pass; asking each alias is a pass each. */
  #targets: ReadonlyMap<Node, Node> | undefined;
  #nodes = 0;
  #aliases = 0;

  constructor(document: Document.Parsed, place: (offset: number) => Place) {
    this.#document = document;
    this.#place = place;
  }

  build(node: Content, depth: number, parentOffset: number): ComposeNode {
    const offset = node?.range?.[0] ?? parentOffset;
    const at = this.#place(offset);
    if (++this.#nodes > limits.composeNodes) throw tooLarge(at, 'the number of values', 'composeNodes');
    if (depth > limits.composeDepth) throw tooLarge(at, 'the nesting', 'composeDepth');
    if (isAlias(node)) return this.build(this.#resolve(node, at), depth + 1, offset);
    if (isScalar(node)) return { kind: 'scalar', at, ...scalarOf(node), ...tagOf(node) };
    if (!isMap(node) && !isSeq(node)) return { kind: 'scalar', at, value: null, text: '' };
    if (this.#open.has(node)) throw failure('HM-COMPOSE-SYNTAX', at, 'an alias stands inside its own anchor');
    this.#open.add(node);
    const built: ComposeNode = isMap(node)
      ? { kind: 'map', at, entries: this.#entries(node, depth, offset), ...tagOf(node) }
      : {
          kind: 'list',
          at,
          items: node.items.map((item) => this.build(item as Content, depth + 1, offset)),
          ...tagOf(node),
        };
    this.#open.delete(node);
    return built;
  }

  #resolve(node: Node & { source: string }, at: Place): Node {
    if (++this.#aliases > limits.composeAliases)
      throw tooLarge(at, 'the number of aliases', 'composeAliases');
    this.#targets ??= aliasTargets(this.#document);
    const target = this.#targets.get(node);
    if (!target) throw failure('HM-COMPOSE-SYNTAX', at, `no anchor &${node.source} stands before its alias`);
    return target;
  }

  /** Own keys win over merged ones; of several merged maps the first wins. */
  #entries(map: YAMLMap, depth: number, offset: number): MapEntry[] {
    const own = new Map<string, MapEntry>();
    const merged: MapEntry[] = [];
    for (const pair of map.items as Pair<Content, Content>[]) {
      const keyOffset = pair.key?.range?.[0] ?? offset;
      const keyAt = this.#place(keyOffset);
      if (!isScalar(pair.key)) throw failure('HM-COMPOSE-SYNTAX', keyAt, 'a key must be a plain word');
      const key = scalarOf(pair.key).text;
      const value = this.build(pair.value, depth + 1, keyOffset);
      if (key === '<<' && pair.key.type === 'PLAIN') {
        merged.push(...mergedEntries(value));
        continue;
      }
      const earlier = own.get(key);
      if (earlier) {
        const text = `the key ${key} stands here twice, first in line ${earlier.keyAt.line}`;
        throw failure('HM-COMPOSE-SYNTAX', keyAt, text);
      }
      own.set(key, { key, keyAt, value });
    }
    for (const entry of merged) if (!own.has(entry.key)) own.set(entry.key, entry);
    return [...own.values()];
  }
}

function aliasTargets(document: Document.Parsed): ReadonlyMap<Node, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target) targets.set(node, target);
      } else if (isNode(node) && node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

function mergedEntries(value: ComposeNode): readonly MapEntry[] {
  const maps = value.kind === 'list' ? value.items : [value];
  return maps.flatMap((each) => {
    if (each.kind !== 'map') throw failure('HM-COMPOSE-SYNTAX', each.at, '<< can only merge maps');
    return each.entries;
  });
}

function scalarOf(node: Scalar): { value: string | number | boolean | null; text: string } {
  const { value } = node;
  // A tag that YAML does not know makes a text of everything.
  if (node.tag && node.type === 'PLAIN' && /^(?:|~|null)$/i.test(String(value)))
    return { value: null, text: '' };
  if (typeof value === 'string') return { value, text: value };
  const text = node.source ?? '';
  if (typeof value === 'number' || typeof value === 'boolean') return { value, text };
  return { value: null, text: '' };
}
