/** `logs`: what containers wrote, over their restarts. One slot prints as it was written; several carry the slot's name. */
import type { Command } from 'commander';
import type { LogLine } from '../../../node-handle.ts';
import { parseSlotName } from '../../../../protocols/apps/model.ts';
import { coded, reasonOf } from '../../../../protocols/errors.ts';
import { parseDuration } from '../../../../protocols/apps/compose/values.ts';
import { levels } from '../../../../protocols/listing/log-levels.ts';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { containerPath } from '../../connection/answers.ts';
import { formOf } from '../../output/listing.ts';
import { pad, paint, type Ink } from '../../output/style.ts';
import { timestamp, timeOfDay } from '../../output/units.ts';
import { loadKnown, resolveTarget, slotsOf } from '../../targets.ts';
import type { Gap } from '../../../api/lines.ts';
import { action, leaf } from '../command.ts';
import { count, follow } from '../../connection/follow.ts';

interface LogOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly tail: string;
  readonly timestamps?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly grep?: string;
  readonly level?: string;
  readonly previous?: boolean;
}

/** What the API is asked for beside the number of lines. */
type Choice = Readonly<Record<string, string | number | boolean>>;

export function logsCommand(program: Command, cli: Cli): void {
  const command = leaf(program, {
    usage: 'logs <target...>',
    summary: 'print what containers wrote',
    examples: [
      'hivemind logs shop/web.2',
      'hivemind logs -f -n 20 shop/web shop/db',
      "hivemind logs shop --since 5m --grep 'ERR|WARN'",
      'hivemind logs web.2 --previous',
      'hivemind logs shop -o jsonl',
    ],
    group: 'Observe:',
    forms: true,
  })
    .option('-f, --follow', 'keep printing new lines')
    .option('-n, --tail <count>', 'newest lines of each slot', '100')
    .option('-t, --timestamps', 'with the time of each line')
    .option('--since <time>', 'not older than this: 5m, 2h30m, or 2026-11-25T12:00:00Z')
    .option('--until <time>', 'not newer than this')
    .option('--grep <text>', 'only lines that contain it; several with | between them')
    .option('--level <level>', `only lines this grave or graver: ${levels.join(', ')}`)
    .option('-p, --previous', 'of the run before the newest');
  action<LogOptions>(command, cli, async (options, [targets]) => {
    const named = [targets].flat() as string[];
    const slots = await slotsNamed(cli, named);
    if (slots.length === 0) throw coded('HM-TARGET-UNKNOWN', `${named.join(' ')} has no containers`);
    const choice = choiceOf(cli, options);
    const printer = new LogPrinter(cli, slots, options.timestamps ?? false, await restartsOf(cli));
    return options.follow
      ? followAll(cli, named, slots, count(options.tail), choice, printer)
      : printAll(cli, slots, count(options.tail), choice, printer);
  });
}

function choiceOf(cli: Cli, { since, until, grep, level, previous, follow: follows }: LogOptions): Choice {
  if (level !== undefined && !levels.some((known) => known === level))
    throw usage(`${level} is not a level`, `One of ${levels.join(', ')}.`);
  if (follows && (until !== undefined || previous))
    throw usage('--follow goes with neither --until nor --previous', 'Leave one of them out.');
  const now = cli.now();
  return {
    ...(since === undefined ? {} : { since: momentOf('--since', since, now) }),
    ...(until === undefined ? {} : { until: momentOf('--until', until, now) }),
    ...(grep === undefined ? {} : { grep }),
    ...(level === undefined ? {} : { level }),
    ...(previous ? { previous } : {}),
  };
}

/** ms since 1970: so long ago, or a time as text. */
function momentOf(option: string, text: string, now: number): number {
  const ago = parseDuration(text);
  const at = ago === undefined ? Date.parse(text) : now - ago;
  if (Number.isFinite(at)) return at;
  throw usage(`${option} ${text} is not a time`, 'As in 5m, 2h30m or 2026-11-25T12:00:00Z.');
}

/** Why a slot's present run began, by its name in the logs: `shop/web.1 7.3`. */
async function restartsOf(cli: Cli): Promise<ReadonlyMap<string, string>> {
  const { slots } = await loadKnown(cli);
  return new Map(
    slots.flatMap(({ slot, placement, run, restarts, lastExit }) =>
      restarts > 0 && lastExit
        ? [[`${slot} ${placement}.${run}`, `#${restarts} after exit ${lastExit.code}`] as const]
        : [],
    ),
  );
}

async function slotsNamed(cli: Cli, targets: readonly string[]): Promise<string[]> {
  const known = await loadKnown(cli);
  const named = targets.map(async (text) => {
    try {
      return slotsOf(resolveTarget(text, known), known);
    } catch (thrown) {
      // Of a slot that is gone there may be logs still, by its exact name.
      const left = parseSlotName(text) ? await tailOf(cli, text, 1).catch(() => []) : [];
      if (left.length > 0) return [text];
      throw thrown;
    }
  });
  return [...new Set((await Promise.all(named)).flat())];
}

/** Where several are read, one that keeps no logs is told and is no failure of the others. */
async function unlessMute<Value>(cli: Cli, alone: boolean, read: Promise<Value>): Promise<Value | undefined> {
  try {
    return await read;
  } catch (thrown) {
    if (alone || reasonOf(thrown).code !== 'HM-LOGS-NONE') throw thrown;
    cli.say(`-- ${reasonOf(thrown).message}`);
    return undefined;
  }
}

async function printAll(
  cli: Cli,
  slots: readonly string[],
  tail: number,
  choice: Choice,
  printer: LogPrinter,
): Promise<number> {
  const alone = slots.length === 1;
  const all = await Promise.all(slots.map((slot) => unlessMute(cli, alone, tailOf(cli, slot, tail, choice))));
  for (const line of all.flatMap((lines) => lines ?? []).sort((a, b) => a.at - b.at)) printer.print(line);
  return 0;
}

/** The newest lines of a slot, oldest first. */
export async function tailOf(cli: Cli, slot: string, tail: number, choice: Choice = {}): Promise<LogLine[]> {
  const client = await cli.client();
  const lines: LogLine[] = [];
  for await (const line of client.lines<LogLine>(
    containerPath(slot, 'logs'),
    { tail, ...choice },
    cli.process.interrupted,
  )) {
    lines.push(line);
  }
  return lines;
}

/** How often it is asked whether the app or service has slots that are not followed yet. */
const newcomersMs = 2_000;

async function followAll(
  cli: Cli,
  targets: readonly string[],
  slots: readonly string[],
  tail: number,
  choice: Choice,
  printer: LogPrinter,
): Promise<number> {
  const client = await cli.client();
  const one = (slot: string): Promise<number> => {
    /** Of the last line that was printed: a connection that was lost goes on behind it. */
    let place: string | undefined;
    const open = (signal: AbortSignal): AsyncIterable<LogLine | Gap> => {
      const query = { tail, follow: true, ...choice, ...(place === undefined ? {} : { after: place }) };
      return client.lines<LogLine>(containerPath(slot, 'logs'), query, signal);
    };
    const take = async (line: LogLine | Gap): Promise<void> => {
      if ('gap' in line) return cli.say(`${slot} ── ${line.gap} lines are missing here ──`);
      place = line.place;
      if (printer.isNewRun(line)) printer.learn(await restartsOf(cli).catch(() => new Map()));
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
    const alone = slots.length === 1;
    const codes = await Promise.all(slots.map((slot) => unlessMute(cli, alone, one(slot))));
    return codes.find((code) => code !== undefined) ?? 0;
  } finally {
    ended = true;
  }
}

class LogPrinter {
  readonly #cli: Cli;
  readonly #json: boolean;
  #named = false;
  #width = 0;
  readonly #timestamps: boolean;
  readonly #ink: Ink;
  readonly #runs = new Map<string, string>();

  #restarts: ReadonlyMap<string, string>;

  constructor(
    cli: Cli,
    slots: readonly string[],
    timestamps: boolean,
    restarts: ReadonlyMap<string, string>,
  ) {
    this.#cli = cli;
    this.#restarts = restarts;
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

  isNewRun({ slot, run }: LogLine): boolean {
    const before = this.#runs.get(slot);
    return before !== undefined && before !== run;
  }

  learn(restarts: ReadonlyMap<string, string>): void {
    this.#restarts = restarts;
  }

  print(line: LogLine): void {
    if (this.#json) {
      this.#cli.print(JSON.stringify(line));
      return;
    }
    if (this.isNewRun(line)) {
      const why = this.#restarts.get(`${line.slot} ${line.run}`) ?? `run ${line.run}`;
      this.#cli.say(`${line.slot} ── restarted (${why}) ──`);
    }
    this.#runs.set(line.slot, line.run);
    if (line.lost) return this.#cli.say(`${line.slot} ${line.text}`);
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
