/** How a command ends when it fails: one exit code per kind of cause, and a reason that names the next step. */
import { catalogue, type ErrorCode, type Reason } from '../../protocols/errors.ts';
import type { Cli } from './cli.ts';
import { paint } from './output/style.ts';

export const exitCodes = {
  ok: 0,
  error: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  conflict: 5,
  cannotPlace: 6,
  timedOut: 8,
  partial: 9,
  changes: 10,
  interrupted: 130,
} as const;

const meanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  ok: 'done',
  error: 'an error that is named',
  usage: 'the command line is wrong',
  notFound: 'what was named is not there',
  notAllowed: 'not allowed: token, rights',
  conflict: 'the state is another than the command expects',
  cannotPlace: 'it cannot run here: port, image, path, resources',
  timedOut: 'the wait timed out; the work goes on',
  partial: 'some of it is done, some is not',
  changes: 'plan --exit-code: there are changes',
  interrupted: 'interrupted; the work goes on',
};

/** A line an exit code. `exec` and `run` pass the command's own code on instead. */
export function codesTable(): string {
  return Object.entries(exitCodes)
    .map(([name, code]) => `${String(code).padStart(4)}  ${meanings[name as keyof typeof exitCodes]}`)
    .join('\n');
}

const exceptions: Partial<Record<ErrorCode, number>> = {
  'HM-CLI-USAGE': exitCodes.usage,
  'HM-CLI-TIMEOUT': exitCodes.timedOut,
  'HM-TARGET-AMBIGUOUS': exitCodes.usage,
  'HM-APP-CONFLICT': exitCodes.conflict,
  'HM-PLAN-STALE': exitCodes.conflict,
  'HM-COMPOSE-EXISTS': exitCodes.conflict,
  'HM-STORE-CONFLICT': exitCodes.conflict,
  'HM-STORE-FOREIGN': exitCodes.conflict,
  'HM-IMAGE-USED': exitCodes.conflict,
  'HM-SECRET-USED': exitCodes.conflict,
  'HM-VOLUME-USED': exitCodes.conflict,
  'HM-PORT-TAKEN': exitCodes.cannotPlace,
  'HM-BIND-MISSING': exitCodes.cannotPlace,
  'HM-CONTAINER-SETTING': exitCodes.cannotPlace,
  'HM-NODE-CAPACITY': exitCodes.cannotPlace,
  'HM-IMAGE-MISSING': exitCodes.cannotPlace,
  'HM-IMAGE-PLATFORM': exitCodes.cannotPlace,
  'HM-NETWORK-ADDRESS': exitCodes.cannotPlace,
};

/** 404 → 3, 401 and 403 → 4, placing → 6, …; everything else is 1. */
export function exitCodeOf(reason: Reason): number {
  const known = exceptions[reason.code];
  if (known !== undefined) return known;
  const status: number = Object.hasOwn(catalogue, reason.code) ? catalogue[reason.code].status : 500;
  if (status === 404) return exitCodes.notFound;
  if (status === 401 || status === 403) return exitCodes.notAllowed;
  return exitCodes.error;
}

/** What, why, next, code; as JSON when the command was asked for JSON. To stderr. */
export function printReasons(cli: Cli, reasons: readonly Reason[]): void {
  if (cli.wantsJson) {
    for (const reason of reasons) cli.say(JSON.stringify(reason));
    return;
  }
  const ink = paint(cli.colored(cli.process.stderr));
  for (const { message, hint, code, evidence } of reasons) {
    cli.say(`${ink.bad('✗')} ${message}  ${ink.faint(code)}`);
    const facts = Object.entries(evidence).filter(([key]) => !['file', 'line', 'column'].includes(key));
    const untold = facts.filter(([, value]) => !message.includes(String(value)));
    if (untold.length > 0) cli.say(`  why   ${untold.map(([key, value]) => `${key} ${value}`).join(' · ')}`);
    cli.say(`  next  ${hint}`);
  }
}
