/** Ids of runs: containerd accepts every one of them, and no two keys share one. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { slotName } from '../../../protocols/apps/model.ts';
import { containerId, containerName } from '../../../protocols/containers/ids.ts';
import type { RunKey } from '../../../protocols/containers/model.ts';

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/);
const count = fc.oneof(fc.nat(3), fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER));
const key: fc.Arbitrary<RunKey> = fc
  .tuple(name, name, fc.nat(1_000), count, count, fc.nat(1_000_000))
  .map(([app, service, index, placement, run, attempt]) => ({
    slot: slotName(app, service, index),
    placement,
    run,
    attempt,
  }));

it('reads well', () => {
  const shop = { slot: 'shop/web.2', placement: 7, run: 3, attempt: 1 };
  expect(containerName(shop)).toBe('shop/web.2#7.3');
  expect(containerId(shop)).toMatch(/^shop-web-2-[0-9a-f]{16}-7\.3\.1$/);
});

it('is an identifier containerd accepts', () => {
  fc.assert(
    fc.property(key, (run) => {
      expect(containerId(run)).toMatch(/^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/);
      expect(containerId(run).length).toBeLessThanOrEqual(76);
    }),
  );
});

it('differs for different keys, also where the readable part is cut or folded', () => {
  const slots = fc.constantFrom(
    'a/b-c.1',
    'a-b/c.1',
    'a/b_c.1',
    `${'x'.repeat(63)}/a.1`,
    `${'x'.repeat(63)}/b.1`,
  );
  const near = fc.record({ slot: slots, placement: fc.nat(12), run: fc.nat(12), attempt: fc.nat(12) });
  const text = (run: RunKey): string => JSON.stringify([run.slot, run.placement, run.run, run.attempt]);
  fc.assert(
    fc.property(fc.uniqueArray(near, { selector: text, maxLength: 50 }), (runs) => {
      expect(new Set(runs.map(containerId)).size).toBe(runs.length);
    }),
  );
});
