/** A short run of the kill loop; the long one is `test/soak/store-kill.ts`. */
import { expect, test } from 'vitest';
import { killLoop } from './kill-loop.ts';

test(
  'St2: nothing acknowledged is lost to kill -9, and the history has no gap',
  { timeout: 300_000 },
  async () => {
    const report = await killLoop(20, 1);
    expect(report).toMatchObject({ failures: [], kills: 20 });
    expect(report.acknowledged).toBeGreaterThan(1_000);
    expect(report.duringStart).toBeGreaterThan(0);
  },
);
