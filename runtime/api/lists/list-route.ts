/**
 * A list: `limit`, `pageToken`, `filter`, `sort`, `fields`, and with `watch=true` rows, then `synced`, then what
 * changes, from one call without a race. A list declares its rows and what tells them apart; the rest is here.
 */
import { z } from '@hono/zod-openapi';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { parseFilter, type Fields, type Filter } from '../../../protocols/listing/filter.ts';
import { pageOf, type Order } from '../../../protocols/listing/page.ts';
import type { Scope } from '../../../protocols/security/tokens.ts';
import type { NodeHandle } from '../../node-handle.ts';
import type { PullSource } from './pulled.ts';
import { define, ndjsonType, sseType, pulled, type Asked, type Route } from '../route.ts';
import { tagOf } from '../rules/conditions.ts';
import { switched } from '../schemas/query.ts';
import type { Rows } from './feeds.ts';
import { KeptAnswers } from './kept-answers.ts';

const listQuery = z.object({
  limit: z.exactOptional(z.coerce.number().int().min(1).max(limits.apiPageRows)).openapi({
    type: 'integer',
    minimum: 1,
    maximum: limits.apiPageRows,
    description: 'rows on this page; all that follow without it, up to the most that a page holds',
  }),
  pageToken: z
    .exactOptional(z.string().max(2_048))
    .openapi({ description: 'nextPageToken of the page before' }),
  filter: z.exactOptional(z.string().max(limits.apiFilterChars)).openapi({
    description: 'app:web health:!healthy text — all terms hold; a,b is any of them; * any text',
  }),
  sort: z
    .exactOptional(
      z.string().regex(/^-?[A-Za-z][\w.]*$/, 'a field, with - before it for the other way round'),
    )
    .openapi({ example: '-since' }),
  fields: z
    .exactOptional(z.string().regex(/^[A-Za-z]\w*(,[A-Za-z]\w*)*$/, 'names with commas between'))
    .openapi({ description: 'only these fields of each row' }),
  watch: switched,
});

type ListQuery = z.output<typeof listQuery>;

export interface ListShape<
  Row extends object,
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
> {
  readonly id: string;
  readonly path: string;
  readonly summary: string;
  /** `read` unless said. */
  readonly scope?: Scope;
  readonly params?: Params;
  /** Beyond what every list takes. */
  readonly query?: Query;
  /** What the answer calls its rows: `{ apps: […] }`. */
  readonly name: string;
  readonly row: z.ZodType<Row>;
  /** What tells rows apart, and orders them unless `sort` says otherwise. */
  readonly key: (row: NoInfer<Row>) => string;
  /** Names in filters besides those of the row: `health`, `app`. */
  readonly filters?: Fields<NoInfer<Row>>;
  /** The rows are what actors hold and nothing else: while no actor changes, an answer is given again as it is. */
  readonly held?: true | ((node: NodeHandle) => boolean);
  /** A change of these fields alone is not told to who watches. */
  readonly quiet?: readonly (keyof NoInfer<Row> & string)[];
  rows(ask: Asked<Params, Query, z.ZodType>): Promise<readonly NoInfer<Row>[]> | readonly NoInfer<Row>[];
}

/** The names that a row may have, from its schema. */
function namesOf(row: z.ZodType): readonly string[] {
  return 'shape' in row ? Object.keys(row.shape as object) : [];
}

export function listRoute<
  Row extends object,
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
>(shape: ListShape<Row, Params, Query>): Route {
  const known = [...namesOf(shape.row), ...Object.keys(shape.filters ?? {})];
  const query = shape.query ? listQuery.extend(shape.query.shape) : listQuery;
  const whole = z.strictObject({
    [shape.name]: z.array(shape.row).readonly(),
    nextPageToken: z.exactOptional(z.string()),
  });
  const line = watchLine(shape.row);
  const kept = new KeptAnswers();
  const { id, path, summary, params, scope } = shape;
  return define(
    { id, method: 'get', path, summary, query, ...(params ? { params } : {}), ...(scope ? { scope } : {}) },
    { 'application/json': whole, [ndjsonType]: line, [sseType]: line },
    async (c, ask) => {
      const asked = ask as unknown as Asked<Params, Query, z.ZodType>;
      const wish = wishOf<Row>(shape, known, ask.query as ListQuery);
      if (!(ask.query as ListQuery).watch)
        return kept.answer(
          ask.node,
          isHeld(shape.held, ask.node) ? questionOf(asked) : undefined,
          async () => {
            const text = JSON.stringify(answerOf<Row>(shape, wish, await shape.rows(asked)));
            return { status: 200, text, tag: tagOf(text) };
          },
        );
      if (wish.isPaged)
        throw coded(
          'HM-API-REQUEST',
          'A list is watched whole',
          { at: 'query.watch' },
          'Leave limit, pageToken and sort out.',
        );
      const type = c.req.header('accept')?.includes(sseType) ? sseType : ndjsonType;
      const closed = ask.context.streams.open();
      try {
        const source = await watched(shape, wish, asked, type);
        return pulled(c, source, closed, type);
      } catch (thrown) {
        closed();
        throw thrown;
      }
    },
    line,
  );
}

const isHeld = (held: ListShape<object>['held'], node: NodeHandle): boolean =>
  typeof held === 'function' ? held(node) : held === true;

const questionOf = ({ params, query }: { readonly params: object; readonly query: object }) =>
  JSON.stringify([params, query]);

function watchLine<Row extends object>(row: z.ZodType<Row>) {
  return z.union([
    z.strictObject({ type: z.enum(['row', 'changed']), row }),
    z.strictObject({ type: z.literal('synced') }),
    z.strictObject({ type: z.literal('removed'), key: z.string() }),
  ]);
}

interface Wish<Row> {
  readonly filter: Filter<Row>;
  readonly order: Order<Row>;
  readonly page: { readonly limit: number; readonly token?: string; readonly asked: string };
  readonly pick: (row: Row) => object;
  readonly isPaged: boolean;
}

function wishOf<Row extends object>(
  shape: Pick<ListShape<Row>, 'key' | 'filters'>,
  known: readonly string[],
  { limit, pageToken, filter = '', sort, fields }: ListQuery,
): Wish<Row> {
  const name = sort?.replace(/^-/, '');
  const value = name === undefined ? undefined : valueOf(name, shape.filters ?? {}, known);
  const names = fields?.split(',');
  for (const one of names ?? []) assertKnown(one, known, 'fields');
  return {
    filter: filter === '' ? () => true : parseFilter(filter, shape.filters ?? {}, known),
    order: { key: shape.key, descending: sort?.startsWith('-') ?? false, ...(value ? { value } : {}) },
    page: {
      limit: limit ?? limits.apiPageRows,
      asked: `${filter} ${sort ?? ''}`,
      ...(pageToken === undefined ? {} : { token: pageToken }),
    },
    pick: names ? (row) => only(row, names) : (row) => row,
    isPaged: limit !== undefined || pageToken !== undefined || sort !== undefined,
  };
}

function assertKnown(name: string, known: readonly string[], at: string): void {
  if (known.includes(name)) return;
  throw coded(
    'HM-API-REQUEST',
    `Rows have no field ${name}`,
    { at: `query.${at}` },
    `Fields: ${known.join(', ')}`,
  );
}

function valueOf<Row extends object>(
  name: string,
  filters: Fields<Row>,
  known: readonly string[],
): (row: Row) => unknown {
  const [first = '', ...rest] = name.split('.');
  assertKnown(first, known, 'sort');
  const read = filters[name];
  if (read) return read;
  return (row) =>
    [first, ...rest].reduce<unknown>(
      (value, part) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, part)
          ? (value as Record<string, unknown>)[part]
          : undefined,
      row,
    );
}

function only(row: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(row).filter(([name]) => names.includes(name)));
}

function answerOf<Row extends object>(
  { name }: Pick<ListShape<Row>, 'name'>,
  { filter, order, page, pick }: Wish<Row>,
  rows: readonly Row[],
): object {
  const { rows: taken, next } = pageOf(rows.filter(filter), order, page);
  return { [name]: taken.map(pick), ...(next === undefined ? {} : { nextPageToken: next }) };
}

type WatchLine =
  { type: 'row' | 'changed'; row: object } | { type: 'synced' } | { type: 'removed'; key: string };

const asSse = (line: WatchLine): string => `event: ${line.type}\ndata: ${JSON.stringify(line)}\n\n`;
const asNdjson = (line: WatchLine): string => `${JSON.stringify(line)}\n`;

async function watched<Row extends object, Params extends z.ZodObject, Query extends z.ZodObject>(
  shape: ListShape<Row, Params, Query>,
  wish: Wish<Row>,
  ask: Asked<Params, Query, z.ZodType>,
  type: string,
): Promise<PullSource> {
  const { watch: _, filter: _f, fields: _n, ...more } = ask.query as unknown as ListQuery;
  const question = `${shape.path} ${JSON.stringify([ask.params, more])}`;
  let wake: () => void = () => {};
  // The feed outlives who asked for it first.
  const call = { key: `${ask.call.key}-watch`, signal: new AbortController().signal };
  const { key, quiet } = shape;
  const source = { key, rows: async () => shape.rows({ ...ask, call }), ...(quiet ? { quiet } : {}) };
  const feed = await ask.context.feeds.subscribe(question, source, () => wake());
  const format = type === sseType ? asSse : asNdjson;
  const told = new Map<string, string>();
  let synced = false;
  return {
    next: () => {
      const lines = deltas(feed.rows(), told, wish, synced);
      if (!synced) lines.push({ type: 'synced' });
      synced = true;
      return lines.length > 0 ? lines.map(format).join('') : undefined;
    },
    follow: (changed) => (wake = changed),
    stop: () => feed.stop(),
  };
}

/** What must be told so that `told` is what the rows are; it is, afterwards. */
function deltas<Row extends object>(
  rows: Rows<Row>,
  told: Map<string, string>,
  { filter, pick }: Wish<Row>,
  synced: boolean,
): WatchLine[] {
  const lines: WatchLine[] = [];
  for (const key of told.keys()) {
    const entry = rows.get(key);
    if (entry && filter(entry.row)) continue;
    told.delete(key);
    lines.push({ type: 'removed', key });
  }
  for (const [key, { row, text }] of rows) {
    if (told.get(key) === text || !filter(row)) continue;
    told.set(key, text);
    lines.push({ type: synced ? 'changed' : 'row', row: pick(row) });
  }
  return lines;
}
