/** Streams that outlive a restart of the node: read, and when the connection is lost say so and read on. */
import { reasonOf } from '../../../protocols/errors.ts';
import { usage, type Cli } from '../cli.ts';
import type { VersionAnswer } from './answers.ts';
import { exitCodes } from '../failure.ts';

const retryMs = 1_000;

/** Until Ctrl-C. `rebooted` is called when the node that answers again is in another boot than before. */
export async function follow<Line>(
  cli: Cli,
  open: (signal: AbortSignal) => AsyncIterable<Line>,
  take: (line: Line) => void | Promise<void>,
  rebooted: () => void,
): Promise<number> {
  const { interrupted } = cli.process;
  const client = await cli.client();
  const boot = async (): Promise<number> => (await client.get<VersionAnswer>('/v1/version')).boot;
  let known = await boot();
  let lost = false;
  while (!interrupted.aborted) {
    try {
      if (lost) {
        const now = await boot();
        cli.say('-- connected again');
        if (now !== known) rebooted();
        known = now;
        lost = false;
      }
      for await (const line of open(interrupted)) await take(line);
    } catch (thrown) {
      if (reasonOf(thrown).code !== 'HM-API-UNREACHABLE') throw thrown;
    }
    if (interrupted.aborted) break;
    if (!lost) cli.say('-- the connection is lost; trying again');
    lost = true;
    await cli.pause(retryMs);
  }
  return exitCodes.interrupted;
}

/** A count from the command line. */
export function count(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw usage(`${text} is not a count`, 'Write a whole number, as in -n 100.');
  return Number(text);
}
