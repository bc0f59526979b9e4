/** The other end of a campaign's process: runs the seeds it is told, one after the other, for as long as somebody listens. */
import type { RunWish } from '../plans/choice.ts';
import type { Outcome } from '../simulation.ts';
import type { Chunk, FromWorker } from './messages.ts';

export function serveSeeds(run: (seed: number, wish: RunWish) => Promise<Outcome>): void {
  const say = (message: FromWorker) => process.send?.(message);
  // Whoever interrupts means the campaign, which says what was done so far and ends its processes.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit());
  let last = Promise.resolve();
  process.on('message', ({ wish, seeds }: Chunk) => {
    for (const seed of seeds)
      last = last.then(async () => {
        const outcome = await run(seed, wish);
        say({ kind: 'ended', outcome, rssBytes: process.memoryUsage.rss() });
      });
  });
  say({ kind: 'ready' });
}
