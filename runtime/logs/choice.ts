/**
 * Which lines are asked for. Words are looked for as they stand: a pattern of somebody else's making could keep the
 * daemon busy for ever. Lines of JSON and of `level=warn` say how grave they are.
 */
import { levels, type Level } from '../../protocols/listing/log-levels.ts';
import type { LogLine } from '../node-handle.ts';

export interface LogChoice {
  /** ms since 1970; a line whose time is a range counts when some of it lies within. */
  readonly since?: number;
  readonly until?: number;
  /** Text that the line contains, or several with `|` between them. */
  readonly grep?: string;
  /** This grave or graver; lines that do not say are left out. */
  readonly level?: Level;
  /** Of the run before the newest alone. */
  readonly previous?: boolean;
}

export type Chosen = (line: LogLine) => boolean;

/** `undefined` when every line is asked for. */
export function chosenBy({ since, until, grep, level }: LogChoice): Chosen | undefined {
  if (since === undefined && until === undefined && grep === undefined && level === undefined)
    return undefined;
  const words = grep?.split('|').filter((word) => word !== '');
  const least = level === undefined ? 0 : levels.indexOf(level);
  return (line) =>
    line.lost === true ||
    ((since === undefined || (line.untilAt ?? line.at) >= since) &&
      (until === undefined || line.at <= until) &&
      (!words || words.length === 0 || words.some((word) => line.text.includes(word))) &&
      (level === undefined || rank(recognised(line.text).level) >= least));
}

const rank = (level: Level | undefined): number => (level === undefined ? -1 : levels.indexOf(level));

/** As loggers write them, beside the names above: pino's and bunyan's numbers, syslog's and Python's words. */
const synonyms: Readonly<Record<string, Level>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
  verbose: 'trace',
  notice: 'info',
  information: 'info',
  warning: 'warn',
  err: 'error',
  critical: 'fatal',
  crit: 'fatal',
  alert: 'fatal',
  emerg: 'fatal',
  panic: 'fatal',
};

function levelOf(said: unknown): Level | undefined {
  if (typeof said !== 'string' && typeof said !== 'number') return undefined;
  const word = String(said).toLowerCase();
  const known = levels.find((level) => level === word);
  return known ?? (Object.hasOwn(synonyms, word) ? synonyms[word] : undefined);
}

/** What a structured line says; nothing of what is none. */
export function recognised(text: string): { readonly level?: Level; readonly message?: string } {
  const level = text.startsWith('{') ? undefined : levelOf(/(?:^|\s)(?:level|lvl)="?(\w+)"?/.exec(text)?.[1]);
  if (!text.startsWith('{')) return level ? { level } : {};
  try {
    const said = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const own = levelOf(said['level'] ?? said['severity'] ?? said['lvl']);
    const message = said['msg'] ?? said['message'];
    return { ...(own ? { level: own } : {}), ...(typeof message === 'string' ? { message } : {}) };
  } catch {
    return {};
  }
}

/** The line with what it says of itself. */
export function structured(line: LogLine): LogLine {
  return line.lost ? line : { ...line, ...recognised(line.text) };
}
