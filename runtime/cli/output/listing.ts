/** One list in every form: `-o table|wide|json|jsonl|yaml|name`, `--json=FIELDS`, and `-w` over time. */
import { nearest } from '../../../protocols/suggest.ts';
import { usage, type Cli } from '../cli.ts';
import { paint } from './style.ts';
import { table, type Column } from './table.ts';

export interface Listing<Row extends object> {
  readonly columns: readonly Column<Row>[];
  readonly name: (row: Row) => string;
  /** What is not as wished; `undefined` for a happy row. */
  readonly note?: (row: Row) => string | undefined;
  /** What of a row is news to who watches; absent: all of it. */
  readonly news?: (row: Row) => unknown;
  /** Names of the rows' JSON fields. */
  readonly fields: readonly (keyof Row & string)[];
  /** Said to people when there are no rows. */
  readonly empty: string;
}

export type Form = 'table' | 'wide' | 'json' | 'jsonl' | 'yaml' | 'name';

const forms: readonly Form[] = ['table', 'wide', 'json', 'jsonl', 'yaml', 'name'];

/** The form that `-o` or `--json` ask for. */
export function formOf(cli: Cli): Form {
  const { output, json } = cli.options;
  if (json !== undefined) return output === 'jsonl' ? 'jsonl' : 'json';
  const form = forms.find((known) => known === (output ?? 'table'));
  if (!form) throw usage(`-o ${output} is not a form`, `Use one of: ${forms.join(', ')}`);
  return form;
}

/** Print rows once, or again and again with `-w`. */
export async function printListing<Row extends object>(
  cli: Cli,
  listing: Listing<Row>,
  load: () => Promise<readonly Row[]>,
): Promise<number> {
  const form = formOf(cli);
  if (cli.options.watch) {
    const { watchListing } = await import('./watch.ts');
    return watchListing(cli, listing, load, form);
  }
  const rows = await load();
  for (const line of await render(cli, listing, rows, form)) cli.print(line);
  if (rows.length === 0 && (form === 'table' || form === 'wide')) cli.say(listing.empty);
  return 0;
}

/** The rows as lines. */
export async function render<Row extends object>(
  cli: Cli,
  listing: Listing<Row>,
  rows: readonly Row[],
  form: Form,
): Promise<string[]> {
  const picked = pickFields(cli, rows, listing.fields, listing.name);
  if (form === 'json') return [JSON.stringify(picked, null, 2)];
  if (form === 'jsonl') return picked.map((row) => JSON.stringify(row));
  if (form === 'name') return rows.map(listing.name);
  if (form === 'yaml') return [(await toYaml(picked)).trimEnd()];
  const { stdout } = cli.process;
  return table(listing.columns, rows, listing.note ?? (() => undefined), {
    wide: form === 'wide',
    ink: paint(cli.colored(stdout)),
    width: stdout.isTTY ? stdout.columns : undefined,
  });
}

/** One object, not a list: `text` for people, else the object itself. */
export async function printOne(
  cli: Cli,
  value: object,
  name: string,
  text: () => readonly string[],
): Promise<void> {
  const form = formOf(cli);
  const [picked] = pickFields(cli, [value], Object.keys(value));
  if (form === 'json') cli.print(JSON.stringify(picked, null, 2));
  else if (form === 'jsonl') cli.print(JSON.stringify(picked));
  else if (form === 'yaml') cli.print((await toYaml(picked)).trimEnd());
  else if (form === 'name') cli.print(name);
  else for (const line of text()) cli.print(line);
}

async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(value, { aliasDuplicateObjects: false });
}

/** `name` is what `-o name` prints, also of rows that call it otherwise. */
function pickFields<Row extends object>(
  cli: Cli,
  rows: readonly Row[],
  known: readonly string[],
  nameOf?: (row: Row) => string,
): readonly object[] {
  const wanted = (cli.options.json ?? '').split(',').filter((field) => field !== '');
  if (wanted.length === 0) return rows;
  const fields = nameOf && !known.includes('name') ? ['name', ...known] : known;
  for (const field of wanted) {
    if (fields.includes(field)) continue;
    const near = nearest(field, known.concat('name'));
    const hint = `${near ? `Did you mean ${near}? ` : ''}Fields: ${fields.join(', ')}`;
    throw usage(`--json: there is no field ${field}`, hint);
  }
  return rows.map((row) => {
    const named = nameOf ? { name: nameOf(row), ...row } : row;
    return Object.fromEntries(Object.entries(named).filter(([key]) => wanted.includes(key)));
  });
}
