/**
 * `$VAR` and `${VAR…}` in values, as the Compose specification has them: `:-` `-` (default), `:?` `?` (required),
 * `:+` `+` (replacement), nested, and `$$` for a dollar. Keys and `x-` blocks are left alone.
 * A variable that is not set and has no default is a problem, not an empty text in silence.
 */
import { excerpt, type ComposeNode, type MapEntry, type Problems, type ScalarNode } from './document.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The same tree with every text replaced. */
export function interpolate(node: ComposeNode, environment: Environment, problems: Problems): ComposeNode {
  if (node.kind === 'scalar') return interpolateScalar(node, environment, problems);
  if (node.kind === 'list') {
    return { ...node, items: node.items.map((item) => interpolate(item, environment, problems)) };
  }
  const entry = (each: MapEntry): MapEntry =>
    each.key.startsWith('x-') ? each : { ...each, value: interpolate(each.value, environment, problems) };
  return { ...node, entries: node.entries.map(entry) };
}

function interpolateScalar(node: ScalarNode, environment: Environment, problems: Problems): ScalarNode {
  if (typeof node.value !== 'string' || !node.text.includes('$')) return node;
  const result = expand(node.text, environment);
  if ('text' in result) return { ...node, value: result.text, text: result.text };
  problems.add(result.code, node.at, result.problem, result.hint);
  return node;
}

type Expansion =
  | { readonly text: string }
  | {
      readonly code: 'HM-COMPOSE-TYPE' | 'HM-COMPOSE-REFERENCE';
      readonly problem: string;
      readonly hint: string;
    };

const nameAt = /[A-Za-z_][A-Za-z0-9_]*/y;

/** Defaults inside defaults: nobody writes more, and each level is a level of the stack. */
const deepest = 16;

/** A default is expanded only when it is used. */
function expand(text: string, environment: Environment, depth = 0): Expansion {
  if (depth > deepest) return malformed(text);
  let out = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '$') {
      out += text[i];
      continue;
    }
    if (text[i + 1] === '$') {
      out += '$';
      i += 1;
      continue;
    }
    const braced = text[i + 1] === '{';
    nameAt.lastIndex = i + (braced ? 2 : 1);
    const name = nameAt.exec(text)?.[0];
    const end = braced ? closing(text, i + 2) : i + (name?.length ?? 0);
    if (name === undefined || end < 0) return malformed(text);
    const rest = braced ? text.slice(i + 2 + name.length, end) : '';
    const value = substitute(name, rest, environment, depth + 1) ?? malformed(text);
    if (!('text' in value)) return value;
    out += value.text;
    i = end;
  }
  return { text: out };
}

function substitute(
  name: string,
  rest: string,
  environment: Environment,
  depth: number,
): Expansion | undefined {
  const match = /^(?:(:?)([-+?])([^]*))?$/.exec(rest);
  if (!match) return undefined;
  const [, colon, operator, word = ''] = match;
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
  const present = value !== undefined && !(colon && value === '');
  if (operator === '+') return present ? expand(word, environment, depth) : { text: '' };
  if (present) return { text: value };
  if (operator === '-') return expand(word, environment, depth);
  const problem = operator === '?' && word ? `variable ${name}: ${word}` : `variable ${name} is not set`;
  const hint = `Set it for this command: ${name}=… hivemind deploy, or give a default: \${${name}:-…}`;
  return { code: 'HM-COMPOSE-REFERENCE', problem, hint };
}

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
