/**
 * A Compose file as plain data with positions: what `runtime/compose` reads and `compile.ts` understands.
 * And the list of problems that compiling gathers: all of them, each with file and line.
 */
import { reason, type ErrorCode, type Reason } from '../../errors.ts';
import { limits } from '../../limits.ts';

/** Line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** How a value of a later file meets the one before it: `!reset` removes it, `!override` takes its place whole. */
export type MergeTag = 'reset' | 'override';

interface Tagged {
  /** Only until the files are merged. */
  readonly tag?: MergeTag;
}

export interface ScalarNode extends Tagged {
  readonly kind: 'scalar';
  readonly at: Place;
  readonly value: string | number | boolean | null;
  /** A text's content; the source of anything else, so that `0755` and `1.10` stay what was written. */
  readonly text: string;
}

export interface ListNode extends Tagged {
  readonly kind: 'list';
  readonly at: Place;
  readonly items: readonly ComposeNode[];
}

export interface MapNode extends Tagged {
  readonly kind: 'map';
  readonly at: Place;
  /** In the file's order, no key twice. */
  readonly entries: readonly MapEntry[];
}

export interface MapEntry {
  readonly key: string;
  readonly keyAt: Place;
  readonly value: ComposeNode;
}

export type ComposeNode = ScalarNode | ListNode | MapNode;

/** The value under a key of a map; `undefined` of anything else. */
export const fieldOf = (node: ComposeNode | undefined, key: string): ComposeNode | undefined =>
  node?.kind === 'map' ? node.entries.find((entry) => entry.key === key)?.value : undefined;

/** What a scalar says; `undefined` of nothing (null) and of anything else. */
export const textOf = (node: ComposeNode | undefined): string | undefined =>
  node?.kind === 'scalar' && node.value !== null ? node.text : undefined;

export const isNothing = (node: ComposeNode): boolean => node.kind === 'scalar' && node.value === null;

/** The same map with one value put (where it stood, or last) or taken away. */
export function withField(map: MapNode, key: string, value: ComposeNode | undefined): MapNode {
  if (value === undefined) return { ...map, entries: map.entries.filter((entry) => entry.key !== key) };
  if (map.entries.some((entry) => entry.key === key)) {
    const entries = map.entries.map((entry) => (entry.key === key ? { ...entry, value } : entry));
    return { ...map, entries };
  }
  return { ...map, entries: [...map.entries, { key, keyAt: value.at, value }] };
}

/** Gathers what is wrong with a file, in the words `compose.yaml:7: …`. */
export class Problems {
  readonly #problems: Reason[] = [];
  readonly #warnings: Reason[] = [];
  #unlisted = 0;

  add(code: ErrorCode, at: Place | undefined, text: string, hint?: string): void {
    if (this.#problems.length < limits.composeProblems) this.#problems.push(located(code, at, text, hint));
    else this.#unlisted += 1;
  }

  warn(code: ErrorCode, at: Place, text: string, hint?: string): void {
    if (this.#warnings.length < limits.composeProblems) this.#warnings.push(located(code, at, text, hint));
  }

  /** What another reader found. */
  relay(found: readonly Reason[]): void {
    for (const problem of found) {
      if (this.#problems.length < limits.composeProblems) this.#problems.push(problem);
      else this.#unlisted += 1;
    }
  }

  get any(): boolean {
    return this.#problems.length > 0;
  }

  /** File by file, each in its order. */
  get problems(): readonly Reason[] {
    const files = [...new Set(this.#problems.map(fileOf))];
    const sorted = this.#problems.toSorted(
      (a, b) => files.indexOf(fileOf(a)) - files.indexOf(fileOf(b)) || lineOf(a) - lineOf(b),
    );
    if (this.#unlisted > 0) {
      sorted.push(reason('HM-COMPOSE-LIMIT', `${this.#unlisted} more problems are not listed`));
    }
    return sorted;
  }

  get warnings(): readonly Reason[] {
    return this.#warnings;
  }
}

const fileOf = (problem: Reason): string => String(problem.evidence['file'] ?? '');
const lineOf = (problem: Reason): number => Number(problem.evidence['line'] ?? 0);

/** A message names what is wrong in it; what stands there may be very long. */
const longestMessage = 500;

function located(code: ErrorCode, at: Place | undefined, told: string, hint?: string): Reason {
  const text = told.length > longestMessage ? `${told.slice(0, longestMessage - 1)}…` : told;
  if (!at) return reason(code, text, {}, hint);
  const evidence = { file: at.file, line: at.line, column: at.column };
  return reason(code, `${at.file}:${at.line}: ${text}`, evidence, hint);
}

/** How a node is called in a message. */
export function describe(node: ComposeNode): string {
  if (node.kind !== 'scalar') return `a ${node.kind}`;
  if (node.value === null) return 'nothing';
  if (typeof node.value === 'string') return JSON.stringify(excerpt(node.text));
  return `the ${typeof node.value} ${excerpt(node.text)}`;
}

export function excerpt(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
