/**
 * A mirror of part of the store: what a list answered, kept current by a watch. Pure; the machine that owns it
 * feeds it. Not a cache: it is replaced whole whenever the watch was interrupted.
 */
import { keys } from './keys.ts';
import { comparePositions, type KeyValue, type Position, type StoreEvent } from './model.ts';

export interface Mirror {
  readonly position: Position;
  readonly rows: Readonly<Record<string, KeyValue>>;
}

export const emptyMirror: Mirror = { position: { epoch: 0, revision: 0 }, rows: {} };

/** That a sealed value is there is all that decisions need: its bytes may be many. */
const light = (kv: KeyValue): KeyValue => (kv.key.startsWith(keys.allSealed) ? { ...kv, value: null } : kv);

/** The mirror a list answer describes. */
export function mirrorOf(kvs: readonly KeyValue[], position: Position): Mirror {
  return { position, rows: Object.fromEntries(kvs.map((kv) => [kv.key, light(kv)])) };
}

/** Fold whole revisions in. Events at or before the position are known already and skipped. */
export function advance(mirror: Mirror, events: readonly StoreEvent[], position: Position): Mirror {
  const rows = { ...mirror.rows };
  for (const event of events) {
    const revision = event.type === 'put' ? event.kv.modRevision : event.modRevision;
    if (revision <= mirror.position.revision) continue;
    if (event.type === 'put') rows[event.kv.key] = light(event.kv);
    else delete rows[event.key];
  }
  return { position: comparePositions(position, mirror.position) > 0 ? position : mirror.position, rows };
}

/** Rows under a prefix as typed values, in key order of insertion. */
export function under<Value>(
  mirror: Mirror,
  prefix: string,
): readonly { key: string; value: Value; modRevision: number }[] {
  return Object.values(mirror.rows)
    .filter((kv) => kv.key.startsWith(prefix))
    .map((kv) => ({ key: kv.key, value: kv.value as Value, modRevision: kv.modRevision }));
}

/** For compare-and-set: 0 when the key is absent. */
export function modRevisionOf(mirror: Mirror, key: string): number {
  return mirror.rows[key]?.modRevision ?? 0;
}
