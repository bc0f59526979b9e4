/** A mirror is what a list would answer: however the watch batches its revisions, also when it repeats some. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { advance, emptyMirror, mirrorOf, modRevisionOf, under } from '../../../protocols/state/mirror.ts';
import type { KeyValue, StoreEvent } from '../../../protocols/state/model.ts';

const key = fc.constantFrom('a/1', 'a/2', 'b/1');
const change = fc.record({ key, deleted: fc.boolean() });

it('equals the store after any watch', () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 40 }),
      fc.array(fc.nat(5)),
      fc.nat(40),
      (changes, cuts, from) => {
        const rows = new Map<string, KeyValue>();
        const events: StoreEvent[] = changes.map(({ key: at, deleted }, index) => {
          const modRevision = index + 1;
          if (deleted) return { type: 'delete', key: at, modRevision };
          return { type: 'put', kv: { key: at, value: index, createRevision: 1, modRevision, version: 1 } };
        });
        const apply = (event: StoreEvent) =>
          event.type === 'put' ? rows.set(event.kv.key, event.kv) : rows.delete(event.key);
        const begin = Math.min(from, events.length);
        events.slice(0, begin).forEach(apply);
        let mirror = mirrorOf([...rows.values()], { epoch: 1, revision: begin });
        // From the very start: what the list knew already must change nothing.
        for (let at = 0, turn = 0; at < events.length; turn++) {
          const size = 1 + (cuts[turn % Math.max(1, cuts.length)] ?? 0);
          const batch = events.slice(at, at + size);
          at += batch.length;
          mirror = advance(mirror, batch, { epoch: 1, revision: at });
        }
        events.slice(begin).forEach(apply);
        expect(mirror.rows).toEqual(Object.fromEntries(rows));
        expect(mirror.position.revision).toBe(events.length);
      },
    ),
  );
});

it('shows rows by prefix, and the guard of a key', () => {
  const kv = (name: string): KeyValue => ({
    key: name,
    value: name,
    createRevision: 1,
    modRevision: 7,
    version: 1,
  });
  const mirror = mirrorOf([kv('a/1'), kv('ab'), kv('a/2')], { epoch: 1, revision: 7 });
  expect(under<string>(mirror, 'a/').map(({ value }) => value)).toEqual(['a/1', 'a/2']);
  expect([
    modRevisionOf(mirror, 'ab'),
    modRevisionOf(mirror, 'no'),
    modRevisionOf(emptyMirror, 'ab'),
  ]).toEqual([7, 0, 0]);
});
