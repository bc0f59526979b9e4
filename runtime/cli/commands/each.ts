/** The same for several things, each by itself: one that is refused does not keep the others. */
import { reasonOf, type Reason } from '../../../protocols/errors.ts';
import type { Cli } from '../cli.ts';
import { exitCodeOf, exitCodes, printReasons } from '../failure.ts';

/** 0 when all went well, the refusal's own code when none did, 9 in between. A node that is gone ends it at once. */
export async function forEach(
  cli: Cli,
  names: readonly string[],
  run: (name: string) => Promise<unknown>,
  done: (name: string) => string,
): Promise<number> {
  const refusals: Reason[] = [];
  for (const name of names) {
    try {
      await run(name);
      cli.print(done(name));
    } catch (thrown) {
      if (reasonOf(thrown).code === 'HM-API-UNREACHABLE') throw thrown;
      refusals.push(reasonOf(thrown));
    }
  }
  const [first] = refusals;
  if (!first) return exitCodes.ok;
  printReasons(cli, refusals);
  return refusals.length === names.length ? exitCodeOf(first) : exitCodes.partial;
}
