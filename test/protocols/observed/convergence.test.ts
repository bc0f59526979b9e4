/** However messages are lost, late and out of order, and whoever starts anew: afterwards all have the same, and the newest. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareVersions } from '../../../protocols/observed/digest.ts';
import type { HeldSet } from '../../../protocols/observed/model.ts';
import { endpointOf } from '../../../protocols/observed/endpoints.ts';
import { endpointsIn } from '../../../protocols/observed/read.ts';
import { idOf, Replicas } from './replicas.ts';

const nodes = 5;
const node = fc.nat(nodes - 1);
const move = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('change' as const), node, slot: fc.nat(3), run: fc.nat(4) }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant('step' as const), which: fc.nat(1_000), lose: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('compare' as const), node }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('restart' as const), node, remembered: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('raise' as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('down' as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), node, other: node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mend' as const) }) },
);

function play(
  replicas: Replicas,
  moves: readonly (typeof move extends fc.Arbitrary<infer Move> ? Move : never)[],
): void {
  for (const one of moves) {
    if (one.kind === 'change') replicas.change(one.node, one.slot, one.run);
    else if (one.kind === 'step') replicas.step(one.which, one.lose);
    else if (one.kind === 'compare') replicas.tell(one.node, { type: 'compare.due' });
    else if (one.kind === 'restart') replicas.restart(one.node, one.remembered);
    else if (one.kind === 'raise')
      replicas.tell(one.node, { type: 'boot.raised', boot: replicas.all[one.node]!.value.boot + 1 });
    else if (one.kind === 'down') replicas.all[one.node]!.up = false;
    else if (one.kind === 'cut') replicas.cut(one.node, one.other);
    else replicas.mend();
  }
}

test('after quiet all have the same records of all, and each node’s are what it says', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 200, size: 'max' }), (moves) => {
      const replicas = new Replicas(nodes);
      play(replicas, moves);
      replicas.mend();
      for (const replica of replicas.all) if (!replica.up) replicas.restart(replica.index, true);
      replicas.settle(3 * nodes);
      for (const { index, value } of replicas.all) {
        expect(replicas.view(index)).toEqual(replicas.view(0));
        const own = value.held[idOf(index)]!;
        const told = Object.keys(own.records).filter((key) => key.startsWith('container/'));
        expect(told.sort()).toEqual(
          Object.keys(value.slots)
            .map((slot) => `container/${slot}`)
            .sort(),
        );
        expect(endpointsIn(own.records)).toEqual(
          Object.values(value.slots).flatMap((slot) => {
            const endpoint = endpointOf(slot, undefined);
            return endpoint ? [endpoint] : [];
          }),
        );
        expect(value.wanted).toEqual({});
        expect(value.counts.forged).toBe(0);
      }
    }),
    { numRuns: 60 },
  );
});

test('no node ever goes back to an older version of another', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 150, size: 'max' }), (moves) => {
      const replicas = new Replicas(nodes);
      const newest = new Map<string, HeldSet>();
      for (const one of moves) {
        play(replicas, [one]);
        for (const { index, boot, value } of replicas.all) {
          for (const [id, set] of Object.entries(value.held)) {
            if (id === idOf(index)) continue;
            const key = `${index}.${boot} ${id}`;
            const before = newest.get(key);
            if (before) expect(compareVersions(set, before)).toBeGreaterThanOrEqual(0);
            newest.set(key, set);
          }
        }
      }
    }),
    { numRuns: 100 },
  );
});
