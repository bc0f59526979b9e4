/** `-w`: a list that stays. On a terminal it is redrawn in place; piped, rows that changed are appended. */
import { reasonOf } from '../../../protocols/errors.ts';
import type { Cli } from '../cli.ts';
import { exitCodes } from '../failure.ts';
import { render, type Form, type Listing } from './listing.ts';
import { Screen } from './screen.ts';

const everyMs = 1_000;

/** Ends with Ctrl-C only. */
export async function watchListing<Row extends object>(
  cli: Cli,
  listing: Listing<Row>,
  load: () => Promise<readonly Row[]>,
  form: Form,
): Promise<number> {
  const { interrupted, stdout } = cli.process;
  const inPlace = stdout.isTTY === true && (form === 'table' || form === 'wide');
  const screen = new Screen(stdout);
  const seen = new Map<string, string>();
  let headerDone = false;
  let lost = false;
  while (!interrupted.aborted) {
    const rows = await loadOr(load, seen.size > 0 || lost || screen.drawn, () => {
      if (!lost) cli.say('-- the connection is lost; trying again');
      lost = true;
    });
    if (rows === undefined) {
      await cli.pause(everyMs);
      continue;
    }
    lost = false;
    if (inPlace) {
      screen.draw(await render(cli, listing, rows, form));
    } else {
      const text = (row: Row): string => JSON.stringify(listing.news?.(row) ?? row);
      const changed = rows.filter((row) => seen.get(listing.name(row)) !== text(row));
      for (const row of changed) seen.set(listing.name(row), text(row));
      const lines = await render(cli, listing, changed, form === 'json' ? 'jsonl' : form);
      const tabular = form === 'table' || form === 'wide';
      if (tabular && (headerDone || changed.length === 0)) lines.shift();
      if (tabular && changed.length > 0) headerDone = true;
      for (const line of lines) cli.print(line);
    }
    await cli.pause(everyMs);
  }
  return exitCodes.interrupted;
}

/** `undefined` when the node went away after it had answered once. */
async function loadOr<Rows>(
  load: () => Promise<Rows>,
  answeredBefore: boolean,
  onLoss: () => void,
): Promise<Rows | undefined> {
  try {
    return await load();
  } catch (thrown) {
    if (!answeredBefore || reasonOf(thrown).code !== 'HM-API-UNREACHABLE') throw thrown;
    onLoss();
    return undefined;
  }
}
