/** Aligned columns: first NAME, last AGE, then what is wrong with the row, if anything. */
import { clip, pad, tidy, widthOf, type Ink, type Tone } from './style.ts';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly tone?: (row: Row) => Tone;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  /** Only where these rows have something to say in it. */
  readonly when?: (rows: readonly Row[]) => boolean;
}

export interface TableOptions {
  readonly wide: boolean;
  readonly ink: Ink;
  /** Terminal columns; a row's note is cut there. Absent: nothing is cut. */
  readonly width?: number | undefined;
}

/** Lines without a newline; the first is the header. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  note: (row: Row) => string | undefined,
  options: TableOptions,
): string[] {
  const shown = columns.filter(({ wide, when }) => (options.wide || !wide) && (when?.(rows) ?? true));
  const cells = rows.map((row) => shown.map((column) => tidy(column.cell(row)) || '-'));
  const widths = shown.map((column, i) =>
    Math.max(column.title.length, ...cells.map((line) => widthOf(line[i]!))),
  );
  const header = shown.map((column, i) => pad(column.title, widths[i]!)).join('  ');
  const lines = rows.map((row, r) => {
    const said = note(row);
    const plain = shown.map((_, i) => pad(cells[r]![i]!, widths[i]!));
    const space = options.width === undefined ? Infinity : options.width - widthOf(plain.join('  ')) - 5;
    const painted = plain.map((text, i) => options.ink[shown[i]!.tone?.(row) ?? 'plain'](text)).join('  ');
    if (said === undefined) return painted.trimEnd();
    return space < 10
      ? `${painted}  ${options.ink.bad('!')}`
      : `${painted}  ${options.ink.bad('!')} ${clip(tidy(said), space)}`;
  });
  return [header.trimEnd(), ...lines];
}
