/** Two clocks: what is close enough, and what a person reads when it is not. */
import { expect, test } from 'vitest';
import { clockReason, timeText } from '../../../protocols/cluster/clocks.ts';
import { limits } from '../../../protocols/limits.ts';

const own = Date.UTC(2026, 10, 26, 3);

test('clocks within the bound are the same, in both directions', () => {
  for (const apart of [0, limits.clusterSkewMs, -limits.clusterSkewMs])
    expect(clockReason({ own, theirs: own + apart, who: 'n1' })).toBeUndefined();
});

test('an hour off is told with both times and how to mend it', () => {
  const because = clockReason({ own, theirs: own - 3_600_000, who: 'n1' });
  expect(because).toMatchObject({
    code: 'HM-CLUSTER-CLOCK',
    evidence: { here: '2026-11-26T03:00:00Z', there: '2026-11-26T02:00:00Z', apartMs: 3_600_000 },
  });
  expect(because?.message).toContain('that of n1 says 2026-11-26T02:00:00Z: 3600 s apart');
  expect(because?.hint).toContain('timedatectl');
});

test('what is no time at all is too far apart, and can be written', () => {
  for (const theirs of [Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1]) {
    expect(clockReason({ own, theirs, who: 'n1' })?.code).toBe('HM-CLUSTER-CLOCK');
    expect(timeText(theirs)).toMatch(/Z$|no time/);
  }
});
