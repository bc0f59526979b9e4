/** Follows one container from its start to its end: every line of its output once, and how it ended. */
import { lineKey } from '../../../protocols/listing/log-place.ts';
import type { LogLine } from '../../node-handle.ts';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import { reasonOf, type Reason } from '../../../protocols/errors.ts';
import type { Cli } from '../cli.ts';
import { appPath, containerPath, type AppAnswer } from '../connection/answers.ts';

export type RunEnd =
  | { readonly kind: 'ended'; readonly code: number }
  /** It never started. */
  | { readonly kind: 'refused'; readonly code: number; readonly reason: Reason }
  | { readonly kind: 'interrupted' };

const everyMs = 150;
/** A reason that stays so many looks does not go away by waiting: an image that is not there, a port that is taken. */
const lastingLooks = 10;
/** Reasons of what is under way. */
const passing: ReadonlySet<string> = new Set(['HM-IMAGE-PULLING', 'HM-DEPENDENCY-WAIT']);
/** Lines that are read once more after the end. */
const lastLines = 10_000;

export async function untilEnd(cli: Cli, slot: string, app: string): Promise<RunEnd> {
  const printer = new OncePrinter(cli);
  const over = new AbortController();
  const { interrupted } = cli.process;
  let following: Promise<void> | undefined;
  let looks = 0;
  while (!interrupted.aborted) {
    const status = await look(cli, slot, app);
    if (status?.startedAt !== undefined || status?.lastExit)
      following ??= followLines(cli, slot, AbortSignal.any([interrupted, over.signal]), printer);
    if (status?.lastExit && (status.phase === 'completed' || status.phase === 'failed')) {
      over.abort();
      await following;
      printer.printRest(await linesOf(cli, slot));
      return { kind: 'ended', code: status.lastExit.code };
    }
    looks = status?.reason && neverRan(status) && !passing.has(status.reason.code) ? looks + 1 : 0;
    if (status?.reason && (looks >= lastingLooks || status.phase === 'failed')) {
      over.abort();
      await following;
      return { kind: 'refused', code: codeOf(status.reason), reason: status.reason };
    }
    await cli.pause(everyMs);
  }
  await following;
  return { kind: 'interrupted' };
}

const neverRan = ({ phase, lastExit, startedAt }: SlotStatus): boolean =>
  phase !== 'running' && lastExit === undefined && startedAt === undefined;

/** As a shell and docker have it: 127 no such command, 126 not one that can be run, 125 everything else. */
function codeOf({ code, message }: Reason): number {
  if (code !== 'HM-CONTAINER-COMMAND') return 125;
  return /permission denied|is a directory|exec format/i.test(message) ? 126 : 127;
}

async function look(cli: Cli, slot: string, app: string): Promise<SlotStatus | undefined> {
  try {
    const { view } = await (await cli.client()).get<AppAnswer>(appPath(app));
    const found = view.slots.find((one) => one.slot === slot);
    return found?.status && { ...found.status, ...(found.reason ? { reason: found.reason } : {}) };
  } catch (thrown) {
    // The node is away for a moment: the container goes on.
    if (reasonOf(thrown).code === 'HM-API-UNREACHABLE') return undefined;
    throw thrown;
  }
}

/** Ends with the signal, or quietly when the stream breaks: what is missing is read at the end. */
async function followLines(cli: Cli, slot: string, signal: AbortSignal, printer: OncePrinter): Promise<void> {
  try {
    const client = await cli.client();
    const query = { tail: lastLines, follow: true };
    for await (const line of client.lines<LogLine>(containerPath(slot, 'logs'), query, signal))
      printer.print(line);
  } catch (thrown) {
    if (!signal.aborted) cli.say(`-- ${reasonOf(thrown).message}`);
  }
}

async function linesOf(cli: Cli, slot: string): Promise<readonly LogLine[]> {
  const lines: LogLine[] = [];
  const client = await cli.client();
  const query = { tail: lastLines };
  for await (const line of client.lines<LogLine>(containerPath(slot, 'logs'), query, cli.process.interrupted))
    lines.push(line);
  return lines;
}

class OncePrinter {
  readonly #cli: Cli;
  #printed = 0;
  #newest: string | undefined;

  constructor(cli: Cli) {
    this.#cli = cli;
  }

  print(line: LogLine): void {
    this.#printed += 1;
    this.#newest = lineKey(line);
    if (line.stream === 'stderr') this.#cli.say(line.text);
    else this.#cli.print(line.text);
  }

  /** Of all lines, or the newest where there are more, those that were not printed. */
  printRest(lines: readonly LogLine[]): void {
    const known =
      lines.length < lastLines
        ? this.#printed
        : lines.findLastIndex((line) => lineKey(line) === this.#newest) + 1;
    for (const line of lines.slice(known)) this.print(line);
  }
}
