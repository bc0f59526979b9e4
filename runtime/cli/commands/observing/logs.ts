/** `logs`: what containers wrote, over their restarts. One slot prints as it was written; several carry the slot's name. */
import type { Command } from 'commander';
import type { LogLine } from '../../../node-handle.ts';
import { coded } from '../../../../protocols/errors.ts';
import type { Cli, CommonOptions } from '../../cli.ts';
import { containerPath } from '../../connection/answers.ts';
import { formOf } from '../../output/listing.ts';
import { pad, paint, type Ink } from '../../output/style.ts';
import { timestamp, timeOfDay } from '../../output/units.ts';
import { loadKnown, resolveTarget, slotsOf } from '../../targets.ts';
import { action, leaf } from '../command.ts';
import { count, follow } from '../../connection/follow.ts';

interface LogOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly tail: string;
  readonly timestamps?: boolean;
}

export function logsCommand(program: Command, cli: Cli): void {
  const command = leaf(program, {
    usage: 'logs <target...>',
    summary: 'print what containers wrote',
    examples: [
      'hivemind logs shop/web.2',
      'hivemind logs -f -n 20 shop/web shop/db',
      'hivemind logs shop -o jsonl',
    ],
    group: 'Observe:',
    forms: true,
  })
    .option('-f, --follow', 'keep printing new lines')
    .option('-n, --tail <count>', 'newest lines of each slot', '100')
    .option('-t, --timestamps', 'with the time of each line');
  action<LogOptions>(command, cli, async (options, [targets]) => {
    const named = [targets].flat() as string[];
    const slots = await slotsNamed(cli, named);
    if (slots.length === 0) throw coded('HM-TARGET-UNKNOWN', `${named.join(' ')} has no containers`);
    const printer = new LogPrinter(cli, slots, options.timestamps ?? false);
    return options.follow
      ? followAll(cli, named, slots, count(options.tail), printer)
      : printAll(cli, slots, count(options.tail), printer);
  });
}

async function slotsNamed(cli: Cli, targets: readonly string[]): Promise<string[]> {
  const known = await loadKnown(cli);
  return [...new Set(targets.flatMap((text) => slotsOf(resolveTarget(text, known), known)))];
}

async function printAll(
  cli: Cli,
  slots: readonly string[],
  tail: number,
  printer: LogPrinter,
): Promise<number> {
  const all = await Promise.all(slots.map((slot) => tailOf(cli, slot, tail)));
  for (const line of all.flat().sort((a, b) => a.at - b.at)) printer.print(line);
  return 0;
}

/** The newest lines of a slot, oldest first. */
export async function tailOf(cli: Cli, slot: string, tail: number): Promise<LogLine[]> {
  const client = await cli.client();
  const lines: LogLine[] = [];
  for await (const line of client.lines<LogLine>(
    containerPath(slot, 'logs'),
    { tail },
    cli.process.interrupted,
  )) {
    lines.push(line);
  }
  return lines;
}

/** Lines to read again after a lost connection, of which those seen already are dropped. */
const catchUp = 1_000;
/** How often it is asked whether the app or service has slots that are not followed yet. */
const newcomersMs = 2_000;

async function followAll(
  cli: Cli,
  targets: readonly string[],
  slots: readonly string[],
  tail: number,
  printer: LogPrinter,
): Promise<number> {
  const client = await cli.client();
  const one = (slot: string): Promise<number> => {
    let newest: number | undefined;
    const open = (signal: AbortSignal): AsyncIterable<LogLine> => {
      const query = { tail: newest === undefined ? tail : catchUp, follow: true };
      return skip(client.lines<LogLine>(containerPath(slot, 'logs'), query, signal), newest);
    };
    const take = (line: LogLine): void => {
      newest = line.at;
      printer.print(line);
    };
    return follow(cli, open, take, () => undefined);
  };
  const followed = new Set(slots);
  let ended = false;
  const newcomers = async (): Promise<void> => {
    while (!ended && !cli.process.interrupted.aborted) {
      await cli.pause(newcomersMs);
      // While the node is away, or the app, nothing new can come.
      for (const slot of await slotsNamed(cli, targets).catch(() => [])) {
        if (followed.has(slot)) continue;
        followed.add(slot);
        printer.expect([...followed]);
        void one(slot).catch(() => followed.delete(slot));
      }
    }
  };
  void newcomers();
  try {
    const codes = await Promise.all(slots.map(one));
    return codes[0]!;
  } finally {
    ended = true;
  }
}

async function* skip(lines: AsyncIterable<LogLine>, until: number | undefined): AsyncGenerator<LogLine> {
  for await (const line of lines) if (until === undefined || line.at > until) yield line;
}

class LogPrinter {
  readonly #cli: Cli;
  readonly #json: boolean;
  #named = false;
  #width = 0;
  readonly #timestamps: boolean;
  readonly #ink: Ink;
  readonly #runs = new Map<string, string>();

  constructor(cli: Cli, slots: readonly string[], timestamps: boolean) {
    this.#cli = cli;
    const form = formOf(cli);
    this.#json = form === 'json' || form === 'jsonl';
    this.#timestamps = timestamps;
    this.#ink = paint(cli.colored(cli.process.stdout));
    this.expect(slots);
  }

  /** Lines of these slots may come; where there are several, each line says whose it is. */
  expect(slots: readonly string[]): void {
    this.#named = slots.length > 1;
    this.#width = Math.max(...slots.map((slot) => slot.length));
  }

  print(line: LogLine): void {
    if (this.#json) {
      this.#cli.print(JSON.stringify(line));
      return;
    }
    const before = this.#runs.get(line.slot);
    if (before !== undefined && before !== line.run) this.#cli.say(`${line.slot} ── run ${line.run} ──`);
    this.#runs.set(line.slot, line.run);
    const time = this.#timestamps ? `${this.#time(line)} ` : '';
    const name = this.#named ? `${this.#ink.faint(pad(line.slot, this.#width))} ` : '';
    this.#cli.print(`${name}${time}${line.text}`);
  }

  /** A line that was written while nobody could stamp it has a range. */
  #time({ at, untilAt }: LogLine): string {
    return untilAt === undefined
      ? `${timestamp(at).slice(0, 11)}${timeOfDay(at)}Z`
      : `${timestamp(at)}…${timestamp(untilAt)}`;
  }
}
