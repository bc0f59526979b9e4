/** `hivemind why` for people: each reason once, with its facts and the next step. */
import type { Reason } from '../../../protocols/errors.ts';
import type { Cli } from '../cli.ts';
import type { WhyAnswer } from '../connection/answers.ts';
import { paint, tidy } from '../output/style.ts';
import { age, elapsed } from '../output/units.ts';

export function explain(cli: Cli, target: string, answers: readonly WhyAnswer[], now: number): string[] {
  const ink = paint(cli.colored(cli.process.stdout));
  if (answers.every(({ reasons }) => reasons.length === 0)) {
    const open = answers.find(({ status }) => !status || status.phase !== 'running');
    const state = open ? `${open.status?.phase ?? 'pending'}, and nothing is wrong` : 'as wished';
    return [`${ink.good(open ? '·' : '✓')} ${target} is ${state}`];
  }
  return answers.flatMap((answer) => slotText(answer, ink, now));
}

function slotText(
  { slot, status, reasons }: WhyAnswer,
  ink: ReturnType<typeof paint>,
  now: number,
): string[] {
  const [first, ...others] = reasons;
  if (!first) return [];
  const phase = status?.phase ?? 'pending';
  const since = status ? `, for ${age(now - status.since)}` : '';
  return [
    `${ink.bad('✗')} ${slot} is ${phase}: ${tidy(first.message)}  ${ink.faint(first.code)}${since}`,
    ...facts(first),
    ...outlook(status, now),
    ...others.flatMap((reason) => [
      `  also  ${tidy(reason.message)}  ${ink.faint(reason.code)}`,
      ...facts(reason),
    ]),
  ];
}

function outlook(status: WhyAnswer['status'], now: number): string[] {
  if (status?.phase !== 'backoff' || status.nextStartAt === undefined) return [];
  return [`  then  starts again in ${elapsed(Math.max(0, status.nextStartAt - now))}`];
}

function facts({ evidence, hint }: Reason): string[] {
  const pairs = Object.entries(evidence).map(([key, value]) => `${key} ${tidy(String(value))}`);
  return [...(pairs.length > 0 ? [`  why   ${pairs.join(' · ')}`] : []), `  next  ${hint}`];
}
