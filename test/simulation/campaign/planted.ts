/** A process of a campaign in which some seeds fail, crash and hang: the seeds of `campaign.test.ts`. */
import { writeSync } from 'node:fs';
import { serveSeeds } from '../../../runtime/simulation/workers/serve.ts';

serveSeeds(async (seed) => {
  if (seed === 13) for (;;);
  if (seed === 17) await new Promise(() => {});
  if (seed === 6) {
    writeSync(2, 'out of wit');
    process.exit(7);
  }
  if (seed === 9) throw new Error('planted');
  const violation = { checker: 'O1', text: `O1: planted in ${seed}`, atMs: 5 };
  return {
    ...{ seed, hash: 'abc', virtualMs: 1_000, frames: 10, boots: 1, kills: 0, orders: 1 },
    exercised: { O1: 2 },
    ...(seed % 10 === 3 ? { violation } : {}),
  };
});
