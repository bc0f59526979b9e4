/**
 * Whose a name is where several members have it, for as long as that lasts. Who lives goes before who is gone; of two that
 * live the one whose credential ends last: the authority gives new ones to who has the name in its registry, so whoever
 * lost the name has an older one. Which of them was seen first here says nothing: either may have started anew since.
 */
import { isLiving } from '../model.ts';
import type { MemberView } from './view.ts';

type Named = Pick<MemberView, 'name' | 'self' | 'status' | 'vouchedUntil'> &
  Partial<Pick<MemberView, 'since'>>;

/** `undefined` when nobody has it. */
export function holderOf<Row extends Named>(name: string, rows: readonly Row[]): Row | undefined {
  return oneOfEachName(rows.filter((row) => row.name === name))[0];
}

export function oneOfEachName<Row extends Named>(rows: readonly Row[]): readonly Row[] {
  const byName = new Map<string, Row>();
  for (const row of rows) {
    const known = byName.get(row.name);
    if (!known || goesBefore(row, known)) byName.set(row.name, row);
  }
  return [...byName.values()];
}

function goesBefore(row: Named, than: Named): boolean {
  const order =
    Number(row.self) - Number(than.self) ||
    Number(isLiving(row)) - Number(isLiving(than)) ||
    (row.vouchedUntil ?? 0) - (than.vouchedUntil ?? 0) ||
    (row.since ?? 0) - (than.since ?? 0);
  return order > 0;
}
