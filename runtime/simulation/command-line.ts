/** What `npm run sim` is asked, checked at the door: an option that would do nothing is refused. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { coded } from '../../protocols/errors.ts';
import { nearest } from '../../protocols/suggest.ts';
import { faultsHelp, faultsIn, type RunWish } from './plans/choice.ts';

const usualNodes = 5;
const mostNodes = 30;

export const usage = `npm run sim -- --seed N [--nodes K] [--faults LIST] [--for TIME] [--trace]
                                one run; --trace prints everything that happens
npm run sim -- campaign [--seeds N] [--from N] [--nodes K] [--faults LIST] [--for TIME] [--workers W]
                                many; those that fail are kept in test/simulation/corpus, which npm test replays
npm run sim -- campaign --until-failure …
                                in this process, up to the first that fails; nothing is kept
npm run sim -- shrink --seed N [--nodes K] [--faults LIST] [--for TIME] [--tries N] [--keep NAME]
                                a smaller plan that fails alike; --keep writes it to the corpus
npm run sim -- mutants [--workers W] [NAME…]
                                plants defects in copies and says which were found

--nodes K      full nodes of one cluster, ${usualNodes} when nothing is said, 30 at most
--for TIME     orders and faults for so long in virtual time (90s, 20m, 1h); 2m when nothing is said. Then everything is
               healed, has to become as desired, stay so, and stop: that comes on top
--workers W    processes; as many as there are processors when nothing is said
--faults LIST  these kinds alone, with commas between them: none, a group, or a kind by its name
${faultsHelp}`;

const options = {
  seed: { type: 'string' },
  seeds: { type: 'string' },
  from: { type: 'string' },
  nodes: { type: 'string' },
  faults: { type: 'string' },
  for: { type: 'string' },
  workers: { type: 'string' },
  tries: { type: 'string' },
  keep: { type: 'string' },
  trace: { type: 'boolean' },
  'until-failure': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Name = keyof typeof options;

const runs: readonly Name[] = ['nodes', 'faults', 'for'];
/** What each command takes, and whether words may follow. */
const commands: Readonly<Record<string, readonly Name[]>> = {
  replay: ['seed', 'trace', ...runs],
  campaign: ['seeds', 'from', 'workers', 'until-failure', ...runs],
  shrink: ['seed', 'tries', 'keep', ...runs],
  mutants: ['workers'],
};

export interface CommandLine {
  readonly command: 'replay' | 'campaign' | 'shrink' | 'mutants' | 'help';
  readonly wish: RunWish;
  readonly seed: number;
  readonly seeds: number;
  readonly from: number;
  readonly workers: number;
  readonly tries: number;
  readonly keep?: string;
  readonly trace: boolean;
  readonly untilFailure: boolean;
  /** Names of mutants. */
  readonly words: readonly string[];
}

const dayMs = 86_400_000;

export const misused = (message: string, hint = 'npm run sim -- --help'): Error =>
  coded('HM-CLI-USAGE', message, {}, hint);

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (thrown) {
    const strange = args.find((arg) => arg.startsWith('--') && !(arg.slice(2).split('=')[0]! in options));
    const near = strange && nearest(strange.slice(2), Object.keys(options));
    throw misused(`${(thrown as Error).message.split('. ')[0]}${near ? `; did you mean --${near}?` : ''}`);
  }
}

/** Throws `HM-CLI-USAGE` with what to say instead. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parsed(args);
  const [first = 'replay', ...words] = positionals;
  const taken = commands[first];
  if (taken === undefined) {
    const near = nearest(first, Object.keys(commands));
    throw misused(`there is no ${first}${near === undefined ? '' : `; did you mean ${near}?`}`);
  }
  const command = values.help || args.length === 0 ? 'help' : (first as CommandLine['command']);
  const useless = (Object.keys(values) as Name[]).find((name) => name !== 'help' && !taken.includes(name));
  if (useless) throw misused(`--${useless} does nothing for ${first === 'replay' ? 'one seed' : first}`);
  if (words.length > 0 && first !== 'mutants') throw misused(`${words[0]} means nothing after ${first}`);
  if ((command === 'replay' || command === 'shrink') && values.seed === undefined)
    throw misused('which seed?', `npm run sim -- ${command === 'shrink' ? 'shrink ' : ''}--seed 42`);
  const number = (name: Name, otherwise: number, least: number, most = Number.MAX_SAFE_INTEGER): number =>
    wholeNumber(name, values[name], otherwise, least, most);
  return {
    ...{ command, words },
    wish: wishOf(number('nodes', usualNodes, 1, mostNodes), values.for, values.faults),
    seed: number('seed', 1, 0),
    seeds: number('seeds', 500, 1),
    from: number('from', 1, 0),
    workers: number('workers', availableParallelism(), 1, 256),
    tries: number('tries', 300, 1),
    trace: values.trace ?? false,
    untilFailure: values['until-failure'] ?? false,
    ...(values.keep === undefined ? {} : { keep: nameOf(values.keep) }),
  };
}

function wishOf(nodes: number, forText: string | undefined, faults: string | undefined): RunWish {
  return {
    nodes,
    ...(forText === undefined ? {} : { forMs: durationOf(forText) }),
    ...(faults === undefined ? {} : { faults: faultsIn(faults) }),
  };
}

function wholeNumber(
  name: string,
  text: string | boolean | undefined,
  otherwise: number,
  least: number,
  most: number,
): number {
  if (text === undefined) return otherwise;
  const value = /^\d+$/.test(String(text)) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  const bounds = most === Number.MAX_SAFE_INTEGER ? `, at least ${least}` : ` from ${least} to ${most}`;
  throw misused(`--${name} is a whole number${bounds}, not ${text}`);
}

/** `1h`, `2m`, `90s`, `500ms`, as ms. */
function durationOf(text: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(count) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[(unit ?? 'ms') as 's'];
  if (!(ms >= 1) || ms > 7 * dayMs)
    throw misused(`--for is a time of at most a week like 90s, 20m or 1h, not ${text}`);
  return ms;
}

function nameOf(text: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,80}$/.test(text))
    throw misused(`--keep is a name of lower-case letters, digits and hyphens, not ${text}`);
  return text;
}
