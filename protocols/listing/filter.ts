/**
 * The one small grammar in which lists, streams and pages are narrowed: `app:web health:!healthy text`. Terms stand
 * side by side and must all hold. `field:value` compares a field, `a,b` is any of them, `!` turns a term round, `*`
 * stands for any text; a bare word is looked for in every text of the row. `"…"` holds spaces together.
 */
import { coded } from '../errors.ts';
import { limits } from '../limits.ts';
import { nearest } from '../suggest.ts';
import { isLike } from './pattern.ts';

/** What a filter looks at, by name: `undefined` when the row has no such value. */
export type Fields<Row> = Readonly<Record<string, (row: Row) => unknown>>;

export type Filter<Row> = (row: Row) => boolean;

interface Term {
  readonly field?: string;
  readonly negated: boolean;
  readonly values: readonly string[];
}

/** `names`: the fields that may be named besides those of the row itself; HM-API-REQUEST on a text that is no filter. */
export function parseFilter<Row extends object>(
  text: string,
  fields: Fields<Row>,
  known: readonly string[],
): Filter<Row> {
  if (text.length > limits.apiFilterChars)
    throw wrong(`a filter has at most ${limits.apiFilterChars} characters`);
  const tests = wordsOf(text).map((word) => testOf(termOf(word), fields, known));
  return (row) => tests.every((test) => test(row));
}

function wrong(message: string, hint?: string): Error {
  return coded('HM-API-REQUEST', message, { at: 'query.filter' }, hint ?? 'As in: app:web health:!healthy');
}

function wordsOf(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let quoted = false;
  for (const char of text) {
    if (char === '"') quoted = !quoted;
    else if (char === ' ' && !quoted) {
      if (word !== '') words.push(word);
      word = '';
    } else word += char;
  }
  if (quoted) throw wrong('a quotation mark is not closed');
  if (word !== '') words.push(word);
  return words;
}

function termOf(word: string): Term {
  const split = /^([A-Za-z][\w.]*):(.*)$/s.exec(word);
  const said = split ? split[2]! : word;
  const negated = said.startsWith('!');
  const values = (negated ? said.slice(1) : said).toLowerCase().split(',');
  if (values.includes('')) throw wrong(`"${word}" has an empty value`);
  return split ? { field: split[1]!, negated, values } : { negated, values };
}

function testOf<Row extends object>(
  { field, negated, values }: Term,
  fields: Fields<Row>,
  known: readonly string[],
): Filter<Row> {
  if (field === undefined)
    return (row) => values.some((value) => textsOf(row).some((text) => text.includes(value))) !== negated;
  const read = fields[field] ?? pathOf(field, known);
  return (row) => {
    const text = scalar(read(row));
    return values.some((value) => isLike(text, value)) !== negated;
  };
}

/** `reason.code` of the row itself. Its first name must be known. */
function pathOf(field: string, known: readonly string[]): (row: object) => unknown {
  const [first = '', ...rest] = field.split('.');
  if (!known.includes(first)) {
    const near = nearest(field, known);
    throw wrong(
      `rows have no field ${field}`,
      near === undefined ? `Fields: ${known.join(', ')}` : `Did you mean ${near}?`,
    );
  }
  return (row) => [first, ...rest].reduce(inside, row as unknown);
}

function inside(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function scalar(value: unknown): string {
  if (value === undefined || value === null) return '';
  return (typeof value === 'string' ? value : JSON.stringify(value)).toLowerCase();
}

/** Every text and number of a row, three levels deep. */
function textsOf(value: unknown, depth = 0): readonly string[] {
  if (typeof value === 'string') return [value.toLowerCase()];
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)];
  if (typeof value !== 'object' || value === null || depth > 3) return [];
  return Object.values(value).flatMap((part) => textsOf(part, depth + 1));
}
