/**
 * `$VAR` and `${VAR…}` in values, as the Compose specification has them: `:-` `-` (default), `:?` `?` (required),
 * `:+` `+` (replacement), nested, and `$$` for a dollar. Keys and `x-` blocks are left alone.
 * A variable that is not set becomes an empty text, as in Compose, and a warning that names file and line.
 */
import { limits } from '../../limits.ts';
import {
  excerpt,
  type ComposeNode,
  type MapEntry,
  type Place,
  type Problems,
  type ScalarNode,
} from './document.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The same tree with every text replaced. */
export function interpolate(node: ComposeNode, environment: Environment, problems: Problems): ComposeNode {
  return new Interpolation(lookupIn(environment), problems).tree(node);
}

/** The value of a variable, or that there is none. */
export type Lookup = (name: string) => string | undefined;

export const lookupIn =
  (environment: Environment): Lookup =>
  (name) =>
    Object.hasOwn(environment, name) ? environment[name] : undefined;

/** Both, where the second wins as far as it has a value. */
export function under(first: Environment, second: Environment): Environment {
  const set = Object.entries(second).filter(([, value]) => value !== undefined);
  return { ...first, ...Object.fromEntries(set) };
}

type Expansion =
  | { readonly text: string }
  | {
      readonly code: 'HM-COMPOSE-TYPE' | 'HM-COMPOSE-REFERENCE' | 'HM-COMPOSE-LIMIT';
      readonly problem: string;
      readonly hint?: string;
    };

const nameAt = /[A-Za-z_][A-Za-z0-9_]*/y;

/** Defaults inside defaults: nobody writes more, and each level is a level of the stack. */
const deepest = 16;

/** What several files expand to, together: values that are made of values grow without end otherwise. */
export interface Budget {
  left: number;
}

/** Expansion against one environment; a variable that is missing is told once. */
export class Interpolation {
  readonly #lookup: Lookup;
  readonly #problems: Problems;
  readonly #budget: Budget;
  readonly #missing = new Set<string>();
  #at: Place | undefined;

  constructor(lookup: Lookup, problems: Problems, budget: Budget = { left: limits.composeExpansion }) {
    this.#lookup = lookup;
    this.#problems = problems;
    this.#budget = budget;
  }

  tree(node: ComposeNode): ComposeNode {
    if (node.kind === 'scalar') return this.#scalar(node);
    if (node.kind === 'list') return { ...node, items: node.items.map((item) => this.tree(item)) };
    const entry = (each: MapEntry): MapEntry =>
      each.key.startsWith('x-') && each.key !== 'x-hivemind'
        ? each
        : { ...each, value: this.tree(each.value) };
    return { ...node, entries: node.entries.map(entry) };
  }

  /** A text of an env file: what is no variable form stays as it is there. */
  lenient(text: string, at: Place): string {
    this.#at = at;
    const result = this.#expand(text);
    if ('text' in result) return result.text;
    if (result.code === 'HM-COMPOSE-TYPE') return text;
    this.#problems.add(result.code, at, result.problem, result.hint);
    return '';
  }

  #scalar(node: ScalarNode): ScalarNode {
    if (typeof node.value !== 'string' || !node.text.includes('$')) return node;
    this.#at = node.at;
    const result = this.#expand(node.text);
    if ('text' in result) return { ...node, value: result.text, text: result.text };
    this.#problems.add(result.code, node.at, result.problem, result.hint);
    return node;
  }

  /** A default is expanded only when it is used. */
  #expand(text: string, depth = 0): Expansion {
    if (depth > deepest) return malformed(text);
    let out = '';
    let from = 0;
    for (let i = text.indexOf('$'); i >= 0; i = text.indexOf('$', from)) {
      out += text.slice(from, i);
      if (text[i + 1] === '$') {
        out += '$';
        from = i + 2;
        continue;
      }
      const braced = text[i + 1] === '{';
      nameAt.lastIndex = i + (braced ? 2 : 1);
      const name = nameAt.exec(text)?.[0];
      const end = braced ? closing(text, i + 2) : i + (name?.length ?? 0);
      if (name === undefined || end < 0) return malformed(text);
      const rest = braced ? text.slice(i + 2 + name.length, end) : '';
      const value = this.#substitute(name, rest, depth + 1) ?? malformed(text);
      if (!('text' in value)) return value;
      if ((this.#budget.left -= value.text.length) < 0) return tooMuch;
      out += value.text;
      from = end + 1;
    }
    return { text: out + text.slice(from) };
  }

  #substitute(name: string, rest: string, depth: number): Expansion | undefined {
    const match = /^(?:(:?)([-+?])([^]*))?$/.exec(rest);
    if (!match) return undefined;
    const [, colon, operator, word = ''] = match;
    const value = this.#lookup(name);
    const present = value !== undefined && !(colon && value === '');
    if (operator === '+') return present ? this.#expand(word, depth) : { text: '' };
    if (present) return { text: value };
    if (operator === '-') return this.#expand(word, depth);
    if (operator === '?') return this.#required(name, word, depth);
    this.#tellMissing(name);
    return { text: '' };
  }

  #required(name: string, word: string, depth: number): Expansion {
    const told = word === '' ? { text: '' } : this.#expand(word, depth);
    const why = 'text' in told && told.text !== '' ? `: ${excerpt(told.text)}` : ' is not set';
    return {
      code: 'HM-COMPOSE-REFERENCE',
      problem: `variable ${name}${why}`,
      hint: `Set it for this command: ${name}=… hivemind deploy, or in .env, or give a default: \${${name}:-…}`,
    };
  }

  #tellMissing(name: string): void {
    if (this.#missing.has(name) || !this.#at) return;
    this.#missing.add(name);
    const text = `variable ${name} is not set: an empty text stands for it`;
    this.#problems.warn('HM-COMPOSE-REFERENCE', this.#at, text, `Set it, or give a default: \${${name}:-…}`);
  }
}

const tooMuch: Expansion = {
  code: 'HM-COMPOSE-LIMIT',
  problem: `variables expand to more than ${limits.composeExpansion} characters`,
};

/** Where the brace that was opened before `from` closes; -1 when it does not. */
function closing(text: string, from: number): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '$' && text[i + 1] === '{') depth += 1;
    else if (text[i] === '}' && --depth === 0) return i;
  }
  return -1;
}

const malformed = (text: string): Expansion => ({
  code: 'HM-COMPOSE-TYPE',
  problem: `${JSON.stringify(excerpt(text))} is not a valid variable form`,
  hint: 'Write ${NAME}, ${NAME:-default}, or $$ for a dollar sign.',
});
