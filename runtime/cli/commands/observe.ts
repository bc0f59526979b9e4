/** What is there and why it is not as wished: `ps`, `ls`, `status`, `why`, `events`. */
import type { Command } from 'commander';
import type { AppView } from '../../../protocols/apps/status.ts';
import { coded, type Reason } from '../../../protocols/errors.ts';
import { nearest } from '../../../protocols/suggest.ts';
import type { LoggedEvent } from '../../node-handle.ts';
import type { Cli, CommonOptions } from '../cli.ts';
import {
  appPath,
  containerPath,
  type AppAnswer,
  type AppsAnswer,
  type EventsAnswer,
  type WhyAnswer,
} from '../connection/answers.ts';
import { formOf, printListing, printOne, render, type Listing } from '../output/listing.ts';
import { age, timestamp } from '../output/units.ts';
import { loadKnown, resolveTarget, slotsOf, targetName, type Known, type Target } from '../targets.ts';
import { action, leaf } from './command.ts';
import { follow, count } from './follow.ts';
import { explain } from '../views/explain.ts';
import { isHappy, slotListing, slotRows, type SlotRow } from '../views/slot-rows.ts';
import { statusText } from '../views/status-text.ts';

const group = 'Observe:';

export function observeCommands(program: Command, cli: Cli): void {
  const ps = leaf(program, {
    usage: 'ps [target]',
    summary: 'list containers, and what keeps them from running',
    examples: [
      'hivemind ps',
      'hivemind ps shop -w',
      'hivemind ps -o json',
      'hivemind ps --json=slot,phase,node',
    ],
    group,
    forms: true,
    watch: true,
  });
  action(ps, cli, async (_options, [target]) => {
    const load = async (): Promise<SlotRow[]> => {
      const known = await loadKnown(cli);
      const rows = slotRows(known.apps, known.slots);
      if (target === undefined) return rows;
      const wanted = new Set(slotsOf(resolveTarget(String(target), known), known));
      return rows.filter(({ slot }) => wanted.has(slot));
    };
    return printListing(cli, slotListing(cli.process.clock.now), load);
  });

  const ls = leaf(program, {
    usage: 'ls',
    summary: 'list apps',
    examples: ['hivemind ls', 'hivemind ls -o name'],
    group,
    forms: true,
    watch: true,
  });
  action(ls, cli, async () => {
    const load = async (): Promise<readonly AppView[]> =>
      (await (await cli.client()).get<AppsAnswer>('/v1/apps')).apps;
    return printListing(cli, appListing(cli.process.clock.now), load);
  });

  const status = leaf(program, {
    usage: 'status <app>',
    summary: 'one app: its services, its slots and their problems',
    examples: ['hivemind status shop', 'hivemind status shop --json'],
    group,
    forms: true,
  });
  action(status, cli, async (_options, [app]) => {
    const answer = await loadApp(cli, String(app));
    const now = cli.process.clock.now();
    await printOne(cli, answer, answer.view.name, () => statusText(cli, answer, now));
    return 0;
  });

  const why = leaf(program, {
    usage: 'why <target>',
    summary: 'why an app, service or slot is not as wished, and what to do',
    examples: ['hivemind why shop/web.2', 'hivemind why shop'],
    group,
    forms: true,
  });
  action(why, cli, (_options, [target]) => runWhy(cli, String(target)));

  const events = leaf(program, {
    usage: 'events',
    summary: 'what happened on the node',
    examples: ['hivemind events', 'hivemind events -f', 'hivemind events -n 500 -o jsonl'],
    group,
    forms: true,
  })
    .option('-f, --follow', 'keep printing new events')
    .option('-n, --limit <count>', 'newest events to print', '50');
  action(events, cli, (options: CommonOptions & { follow?: boolean; limit: string }) =>
    runEvents(cli, options),
  );
}

/** An app by its exact name; a near one is suggested. */
async function loadApp(cli: Cli, app: string): Promise<AppAnswer> {
  const client = await cli.client();
  try {
    return await client.get<AppAnswer>(appPath(app));
  } catch (thrown) {
    const { apps } = await client.get<AppsAnswer>('/v1/apps').catch(() => ({ apps: [] }));
    const near = nearest(
      app,
      apps.map(({ name }) => name),
    );
    if (near === undefined || apps.some(({ name }) => name === app)) throw thrown;
    throw coded('HM-APP-UNKNOWN', `No app ${app} is deployed`, {}, `Did you mean ${near}?`);
  }
}

function appListing(now: () => number): Listing<AppView> {
  const sum = (app: AppView, field: 'ready' | 'replicas'): number =>
    app.services.reduce((total, service) => total + service[field], 0);
  const state = (app: AppView): string =>
    app.removing ? 'removing' : app.converged ? 'ready' : 'converging';
  return {
    name: (app) => app.name,
    note: (app) => slotRows([app], []).find((row) => !isHappy(row) && row.reason)?.reason?.message,
    empty: 'No app is deployed. Next: hivemind deploy',
    fields: ['name', 'revision', 'removing', 'services', 'slots', 'converged'],
    columns: [
      { title: 'NAME', cell: (app) => app.name },
      { title: 'STATE', cell: state, tone: (app) => (app.converged && !app.removing ? 'good' : 'busy') },
      { title: 'SERVICES', cell: (app) => String(app.services.length) },
      { title: 'READY', cell: (app) => `${sum(app, 'ready')}/${sum(app, 'replicas')}` },
      { title: 'REV', cell: (app) => String(app.revision) },
      {
        title: 'AGE',
        cell: (app) => {
          const changes = app.slots.flatMap(({ status }) => (status ? [status.since] : []));
          return changes.length === 0 ? '-' : age(now() - Math.max(...changes));
        },
      },
    ],
  };
}

async function runWhy(cli: Cli, text: string): Promise<number> {
  const known = await loadKnown(cli);
  const target = resolveTarget(text, known);
  const answers = await Promise.all(unhappy(target, known).map((slot) => ask(cli, slot)));
  const reasons = answers.flatMap((answer) => answer.reasons);
  const now = cli.process.clock.now();
  const said = { target: targetName(target), reasons: unique(reasons), slots: answers };
  await printOne(cli, said, said.target, () => explain(cli, targetName(target), answers, now));
  return 0;
}

/** The slot that is asked for; of an app or service those that are not as wished. */
function unhappy(target: Target, known: Known): string[] {
  if (target.kind === 'slot') return [target.slot];
  const rows = new Map(slotRows(known.apps, known.slots).map((row) => [row.slot, row]));
  return slotsOf(target, known).filter((slot) => !isHappy(rows.get(slot)!));
}

async function ask(cli: Cli, slot: string): Promise<WhyAnswer> {
  return (await cli.client()).get<WhyAnswer>(containerPath(slot, 'why'));
}

const unique = (reasons: readonly Reason[]): Reason[] => [
  ...new Map(reasons.map((reason) => [`${reason.code} ${reason.message}`, reason])).values(),
];

async function runEvents(cli: Cli, options: { follow?: boolean; limit: string }): Promise<number> {
  const client = await cli.client();
  const form = formOf(cli);
  const print = async (events: readonly LoggedEvent[]): Promise<void> => {
    if (form === 'table' || form === 'wide') for (const event of events) cli.print(eventLine(event));
    else
      for (const line of await render(cli, eventListing, events, options.follow ? 'jsonl' : form))
        cli.print(line);
  };
  const { events } = await client.get<EventsAnswer>('/v1/events', { limit: count(options.limit) });
  await print(events);
  if (!options.follow) {
    if (events.length === 0) cli.say('Nothing has happened yet.');
    return 0;
  }
  let last = events.at(-1)?.seq ?? 0;
  return follow(
    cli,
    (signal) => client.lines<LoggedEvent>('/v1/events/stream', { after: last }, signal),
    async (event) => {
      last = event.seq;
      await print([event]);
    },
    () => (last = 0),
  );
}

const eventLine = ({ at, level, type, subject, message, reason }: LoggedEvent): string =>
  `${timestamp(at)} ${level.padEnd(7)} ${type} ${subject}  ${message}${reason ? `  ${reason.code}` : ''}`;

const eventListing: Listing<LoggedEvent> = {
  name: (event) => String(event.seq),
  fields: ['seq', 'at', 'type', 'subject', 'level', 'message', 'reason', 'details'],
  columns: [],
  empty: '',
};
