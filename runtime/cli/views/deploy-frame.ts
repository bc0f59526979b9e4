/** One frame of the deploy block: a header, a bar, and a line for each slot while they fit in twenty rows. */
import type { AppView } from '../../../protocols/apps/status.ts';
import { pullBar, pullOf } from './pull-bar.ts';
import { isHappy, serves, slotRows, slotTone, type SlotRow } from './slot-rows.ts';
import { clip, pad, tidy, type Ink } from '../output/style.ts';
import { elapsed } from '../output/units.ts';

export interface FrameOptions {
  readonly passedMs: number;
  /** Of the terminal. */
  readonly columns: number;
  readonly rows: number;
  readonly ink: Ink;
}

const mostRows = 20;
const barCells = 24;
const pullCells = 12;

export function frame(title: string, view: AppView, options: FrameOptions): string[] {
  const { ink, columns } = options;
  const rows = slotRows([view], []);
  const done = rows.filter(isHappy).length;
  const ready = rows.filter(serves).length;
  const time = elapsed(options.passedMs);
  const lead = clip(`● ${title}`, columns - time.length - 3);
  const header = `${pad(lead, Math.min(columns, 80) - time.length - 1)}${time}`;
  const full = rows.length === 0 ? 0 : Math.floor((done / rows.length) * barCells);
  const bar = `▕${'█'.repeat(full)}${'░'.repeat(barCells - full)}▏`;
  // What is still to be replaced serves meanwhile.
  const replaced = done === ready ? '' : `${done}/${rows.length} done, `;
  const overall = `  ${ink.good(bar)} ${replaced}${ready}/${rows.length} ready`;
  const space = Math.min(mostRows, options.rows - 1) - 3;
  if (rows.length > space) return [header, overall, ...troubles(rows, view.revision, options, space)];
  const width = Math.max(4, ...rows.map(({ slot }) => slot.length));
  return [header, overall, ...rows.map((row) => slotLine(row, width, view.revision, options))];
}

const marks = { good: '✓', busy: '◐', bad: '✗', faint: '·', plain: '·' } as const;

function slotLine(row: SlotRow, width: number, revision: number, { ink, columns }: FrameOptions): string {
  const tone = row.phase === 'pending' ? 'plain' : slotTone(row);
  const state =
    row.readiness === undefined || row.readiness === 'none' ? row.phase : `${row.phase}, ${row.readiness}`;
  const earlier = row.revision === undefined || row.revision >= revision ? '' : ` rev ${row.revision}`;
  const restarts = row.restarts ? `  ↻${row.restarts}` : '';
  const pull = pullOf(row.reason);
  const bar = pull ? `  ${pullBar(pull.doneBytes, pull.totalBytes, pullCells)}` : '';
  const reason = row.reason && !isHappy(row) ? `${bar}  ${tidy(row.reason.message)}` : '';
  return clip(
    `  ${pad(row.slot, width)}  ${row.node ?? '-'}  ${ink[tone](`${marks[tone]} ${state}`)}${earlier}${restarts}${reason}`,
    columns - 1,
  );
}

/** Too many slots to list: the first few in trouble. */
function troubles(
  rows: readonly SlotRow[],
  revision: number,
  options: FrameOptions,
  space: number,
): string[] {
  const bad = rows.filter((row) => slotTone(row) === 'bad').slice(0, Math.max(0, Math.min(5, space)));
  const width = Math.max(4, ...bad.map(({ slot }) => slot.length));
  return bad.map((row) => slotLine(row, width, revision, options));
}
