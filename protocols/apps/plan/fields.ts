/**
 * Two values of the app model, field by field: `environment.LOG_LEVEL`, `resources.limits.memoryBytes`. A list of
 * plain values is one field; of a list of parts (ports, mounts) each part that came or went is one.
 */
import { canonicalJson } from '../../hash.ts';

export interface FieldDifference {
  /** From the service or app; names that hold dots stand as they are. */
  readonly path: readonly string[];
  readonly kind: 'added' | 'removed' | 'changed';
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface Differences {
  readonly fields: readonly FieldDifference[];
  /** Fields that are the same in both. */
  readonly unchanged: number;
}

export function differences(before: unknown, after: unknown): Differences {
  const fields: FieldDifference[] = [];
  const unchanged = compare(before, after, [], fields);
  return { fields, unchanged };
}

type Part = Readonly<Record<string, unknown>>;

const isPart = (value: unknown): value is Part =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isParts = (value: unknown): value is readonly Part[] => Array.isArray(value) && value.some(isPart);

/** Counts what is the same, notes what is not. */
function compare(before: unknown, after: unknown, path: readonly string[], found: FieldDifference[]): number {
  if (isPart(before) || isPart(after)) {
    const [old = {}, young = {}] = [before, after] as readonly (Part | undefined)[];
    const keys = new Set([...Object.keys(old), ...Object.keys(young)]);
    let same = 0;
    for (const key of keys) same += compare(own(old, key), own(young, key), [...path, key], found);
    return same;
  }
  if (isParts(before) || isParts(after)) {
    return compareParts(
      (before ?? []) as readonly unknown[],
      (after ?? []) as readonly unknown[],
      path,
      found,
    );
  }
  if (isNone(before) && isNone(after)) return 0;
  if (!isNone(before) && !isNone(after) && canonicalJson(before) === canonicalJson(after)) return 1;
  const kind = isNone(before) ? 'added' : isNone(after) ? 'removed' : 'changed';
  found.push({ path, kind, before, after });
  return 0;
}

const own = (part: Part, key: string): unknown => (Object.hasOwn(part, key) ? part[key] : undefined);

/** An empty list says as much as none. */
const isNone = (value: unknown): boolean =>
  value === undefined || (Array.isArray(value) && value.length === 0);

function compareParts(
  before: readonly unknown[],
  after: readonly unknown[],
  path: readonly string[],
  found: FieldDifference[],
): number {
  const old = new Map(before.map((item) => [canonicalJson(item), item]));
  const young = new Map(after.map((item) => [canonicalJson(item), item]));
  const gone = [...old].filter(([key]) => !young.has(key));
  const come = [...young].filter(([key]) => !old.has(key));
  for (const [, item] of gone) found.push({ path, kind: 'removed', before: item });
  for (const [, item] of come) found.push({ path, kind: 'added', after: item });
  const moved = gone.length === 0 && come.length === 0 && canonicalJson(before) !== canonicalJson(after);
  if (moved) found.push({ path, kind: 'changed', before, after });
  return old.size - gone.length;
}
