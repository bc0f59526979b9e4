/** A figure as `npm run bench` prints it: what was measured, and its limit if it has one. */

export interface Row {
  readonly figure: string;
  readonly measured: string;
  readonly limit: string;
  readonly ok: boolean | undefined;
}

export interface Limit {
  readonly at: 'most' | 'least';
  readonly value: number;
}

export const row = (figure: string, value: number, unit: string, limit?: Limit): Row => ({
  figure,
  measured: `${value >= 100 ? Math.round(value) : Number(value.toPrecision(3))}${unit}`,
  limit: limit ? `${limit.at === 'most' ? '≤' : '≥'} ${limit.value}${unit}` : '',
  ok: limit ? (limit.at === 'most' ? value <= limit.value : value >= limit.value) : undefined,
});

/** What this machine cannot measure, and why. */
export const skipped = (figure: string, why: string): Row => ({
  figure,
  measured: 'skipped',
  limit: why,
  ok: undefined,
});

export const most = (value: number) => ({ at: 'most', value }) as const;
export const least = (value: number) => ({ at: 'least', value }) as const;
