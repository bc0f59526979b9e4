/**
 * Where an event stands, and the cursor that carries it. Events are numbered within a boot from 1 without gaps, so a
 * place is (boot, seq) and a cursor names its node as well: one of another node, or of a log that was replaced, is
 * refused and never read as something near.
 */
import { coded } from '../errors.ts';
import { decodeToken, encodeToken } from '../listing/token.ts';

export interface EventPlace {
  readonly boot: number;
  readonly seq: number;
}

export function comparePlaces(a: EventPlace, b: EventPlace): number {
  return a.boot - b.boot || a.seq - b.seq;
}

export function cursorOf(node: string, { boot, seq }: EventPlace): string {
  return encodeToken([node, boot, seq]);
}

/** HM-API-REQUEST when it is no cursor, HM-EVENTS-EXPIRED when it is of another node. */
export function placeOf(node: string, cursor: string): EventPlace {
  const parts = decodeToken(cursor);
  const isCursor =
    Array.isArray(parts) &&
    parts.length === 3 &&
    typeof parts[0] === 'string' &&
    isCount(parts[1]) &&
    isCount(parts[2]);
  if (!isCursor)
    throw coded(
      'HM-API-REQUEST',
      'The cursor was not given by an event',
      { at: 'query.cursor' },
      'Begin without cursor.',
    );
  const [owner, boot, seq] = parts as [string, number, number];
  if (owner !== node)
    throw coded('HM-EVENTS-EXPIRED', `The cursor is of node ${owner}, this is ${node}`, { node: owner });
  return { boot, seq };
}

const isCount = (value: unknown): boolean =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
