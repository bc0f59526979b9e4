/** Permits: never more than the limit, and whoever waits and lives gets one in the end. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { permitsSteps, type PermitsValue } from '../../../protocols/containers/permits.ts';
import type { Decision } from '../../../protocols/effects.ts';
import { limits } from '../../../protocols/limits.ts';

const path = (n: number) => `/workload/containers/a/web.${n}/1.1.1` as const;
const act = fc.record({ who: fc.nat(11), do: fc.constantFrom('request', 'request', 'returned', 'ended') });

it('whatever happens', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
      let value: PermitsValue = { holders: [], queue: [] };
      /** As the askers know it. */
      const granted = new Set<string>();
      const waiting = new Set<string>();
      const take = ([next, effects]: Decision<PermitsValue>) => {
        value = next;
        for (const effect of effects) {
          if (effect.do !== 'send') continue;
          expect(effect.event.type).toBe('permit.granted');
          granted.add(effect.to);
          waiting.delete(effect.to);
        }
      };
      for (const { who, do: what } of acts) {
        const to = path(who);
        if (what === 'request') {
          if (!granted.has(to)) waiting.add(to);
          take(permitsSteps.request(value, { to }));
        } else {
          granted.delete(to);
          waiting.delete(to);
          take(
            what === 'ended'
              ? permitsSteps.holderEnded(value, { path: to })
              : permitsSteps.returned(value, { to }),
          );
        }
        expect(value.holders.length).toBeLessThanOrEqual(limits.startParallelism);
        expect(new Set(value.holders)).toEqual(granted);
        expect(new Set(value.queue)).toEqual(waiting);
        // Nobody waits while a permit is free.
        if (value.queue.length > 0) expect(value.holders).toHaveLength(limits.startParallelism);
      }
      for (let left = 0; value.queue.length > 0 && left < 100; left++) {
        granted.delete(value.holders[0]!);
        take(permitsSteps.returned(value, { to: value.holders[0]! }));
      }
      expect(waiting.size).toBe(0);
    }),
  );
});

it('first come, first served; asked again, the same answer', () => {
  let value: PermitsValue = { holders: [], queue: [] };
  for (let n = 1; n <= limits.startParallelism + 2; n++)
    [value] = permitsSteps.request(value, { to: path(n) });
  expect(permitsSteps.request(value, { to: path(1) })[1]).toMatchObject([{ do: 'send', to: path(1) }]);
  expect(permitsSteps.request(value, { to: path(6) })[1]).toEqual([]);
  const [next, effects] = permitsSteps.holderEnded(value, { path: path(3) });
  expect(effects).toMatchObject([{ to: path(5), event: { type: 'permit.granted' } }]);
  expect(next.queue).toEqual([path(6)]);
});
