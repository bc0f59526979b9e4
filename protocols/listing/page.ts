/**
 * A page of a list: rows in a total order, so many of them behind the row where the last page ended. The token
 * carries that row's place in the order and nothing else, so the server keeps nothing, and rows that come and go
 * between two pages are neither doubled nor the cause that others are left out.
 */
import { coded } from '../errors.ts';
import { hashText } from '../hash.ts';
import { decodeToken, encodeToken } from './token.ts';

export interface Order<Row> {
  /** What tells rows apart: the last word in every order. */
  readonly key: (row: Row) => string;
  /** What is compared first, when the list is sorted by something else. */
  readonly value?: (row: Row) => unknown;
  readonly descending?: boolean;
}

type Place = readonly [value: string | number | null, key: string];

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Absent on the last page. */
  readonly next?: string;
}

const placeOf = <Row>({ key, value }: Order<Row>, row: Row): Place => {
  const found = value?.(row);
  const plain =
    typeof found === 'number' || typeof found === 'string'
      ? found
      : found === undefined || found === null
        ? null
        : JSON.stringify(found);
  return [plain, key(row)];
};

/** Numbers before texts, what is absent last; never by locale. */
function compareValues(a: Place[0], b: Place[0]): number {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a < b ? -1 : 1;
}

function comparePlaces(a: Place, b: Place, descending: boolean): number {
  const first = compareValues(a[0], b[0]);
  if (first !== 0) return descending ? -first : first;
  return a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0;
}

/** `asked` is what the list was asked for besides the page (filter, order): a token of another question is refused. */
export function pageOf<Row>(
  rows: readonly Row[],
  order: Order<Row>,
  page: { readonly limit: number; readonly token?: string; readonly asked: string },
): Page<Row> {
  const descending = order.descending ?? false;
  const placed = rows.map((row) => ({ row, place: placeOf(order, row) }));
  placed.sort((a, b) => comparePlaces(a.place, b.place, descending));
  const question = hashText(page.asked).slice(0, 8);
  const after = page.token === undefined ? undefined : placeIn(page.token, question);
  const rest = after ? placed.filter(({ place }) => comparePlaces(place, after, descending) > 0) : placed;
  const taken = rest.slice(0, page.limit);
  const last = taken.at(-1);
  const next = last && rest.length > taken.length ? { next: tokenOf(last.place, question) } : {};
  return { rows: taken.map(({ row }) => row), ...next };
}

function tokenOf([value, key]: Place, question: string): string {
  return encodeToken([question, value, key]);
}

function placeIn(token: string, question: string): Place {
  const parts = decodeToken(token);
  const isPlace =
    Array.isArray(parts) &&
    parts.length === 3 &&
    (parts[1] === null || typeof parts[1] === 'string' || typeof parts[1] === 'number') &&
    typeof parts[2] === 'string';
  if (!isPlace) throw refused('The page token was not given by this list');
  if (parts[0] !== question) throw refused('The page token belongs to another filter or order');
  return [parts[1] as Place[0], parts[2] as string];
}

const refused = (message: string): Error =>
  coded('HM-API-REQUEST', message, { at: 'query.pageToken' }, 'Begin again without pageToken.');
