/** The actor system from outside: `actor ls`, `actor tree`, `actor show`, `actor events`. */
import type { Command } from 'commander';
import type { ActorView, TranscriptLine } from '../../../../protocols/inspection.ts';
import type { Cli, CommonOptions } from '../../cli.ts';
import { coded } from '../../../../protocols/errors.ts';
import type { ActorsAnswer } from '../../connection/answers.ts';
import { formOf, printListing, printOne, type Listing } from '../../output/listing.ts';
import { age, timestamp } from '../../output/units.ts';
import { drawTree } from '../../views/actor-tree.ts';
import { action, leaf } from '../command.ts';
import { count, follow } from '../../connection/follow.ts';

export function actorCommands(program: Command, cli: Cli): void {
  const actor = program.command('actor').description('the actors of the node').helpGroup('Actors:');

  const ls = leaf(actor, {
    usage: 'ls [path]',
    summary: 'list actors',
    examples: ['hivemind actor ls', 'hivemind actor ls /workload -w'],
    forms: true,
    watch: true,
  });
  action(ls, cli, (_options, [path]) => printListing(cli, listing(cli), () => load(cli, path)));

  const tree = leaf(actor, {
    usage: 'tree [path]',
    summary: 'draw the supervision tree',
    examples: ['hivemind actor tree', 'hivemind actor tree /workload'],
    forms: true,
  });
  action(tree, cli, async (_options, [path]) => {
    const actors = await load(cli, path);
    if (formOf(cli) !== 'table') return printListing(cli, listing(cli), () => Promise.resolve(actors));
    for (const line of drawTree(actors, cli.now())) cli.print(line);
    return 0;
  });

  const show = leaf(actor, {
    usage: 'show <path>',
    summary: 'one actor with its context',
    examples: ['hivemind actor show /leader/apps', 'hivemind actor show /workload/manager --json'],
    forms: true,
  });
  action(show, cli, async (_options, [path]) => {
    const client = await cli.client();
    const view = await client.get<ActorView & { context: unknown }>('/v1/actors/show', {
      path: String(path),
    });
    await printOne(cli, view, view.path, () => showText(view, cli.now()));
    return 0;
  });

  const events = leaf(actor, {
    usage: 'events [path]',
    summary: 'transitions of an actor and those below it',
    examples: [
      'hivemind actor events',
      'hivemind actor events /workload -f',
      'hivemind actor events -n 500 -o jsonl',
    ],
    forms: true,
  })
    .option('-f, --follow', 'keep printing new ones')
    .option('-n, --limit <count>', 'newest lines to print', '50');
  action(events, cli, (options: CommonOptions & { follow?: boolean; limit: string }, [path]) =>
    runEvents(cli, options, path === undefined ? undefined : String(path)),
  );
}

type Argument = string | string[] | undefined;

async function load(cli: Cli, path: Argument): Promise<readonly ActorView[]> {
  const { actors } = await (await cli.client()).get<ActorsAnswer>('/v1/actors');
  if (path === undefined) return actors;
  const top = [path].flat().join('').replace(/\/+$/, '') || '/';
  const below = actors.filter((view) => top === '/' || view.path === top || view.path.startsWith(`${top}/`));
  if (below.length === 0) throw coded('HM-ACTOR-UNKNOWN', `No actor has the path ${top}`);
  return below;
}

function listing(cli: Cli): Listing<ActorView> {
  return {
    name: (view) => view.path,
    note: (view) =>
      view.lastCrash && `crashed ${age(cli.now() - view.lastCrash.at)} ago: ${view.lastCrash.message}`,
    empty: 'No actors.',
    fields: [
      ...([
        'path',
        'address',
        'machine',
        'phase',
        'tags',
        'mailbox',
        'processed',
        'restarts',
        'startedAt',
      ] as const),
      ...(['parent', 'children', 'lastCrash'] as const),
    ],
    columns: [
      { title: 'NAME', cell: (view) => view.path },
      { title: 'MACHINE', cell: (view) => view.machine },
      { title: 'STATE', cell: (view) => view.phase },
      {
        title: 'RESTARTS',
        cell: (view) => String(view.restarts),
        tone: (view) => (view.restarts > 0 ? 'busy' : 'plain'),
      },
      { title: 'MAILBOX', cell: (view) => String(view.mailbox) },
      { title: 'PROCESSED', cell: (view) => String(view.processed), wide: true },
      { title: 'ADDRESS', cell: (view) => view.address, wide: true },
      { title: 'AGE', cell: (view) => age(cli.now() - view.startedAt) },
    ],
  };
}

function showText(view: ActorView & { context: unknown }, now: number): string[] {
  const { lastCrash } = view;
  return [
    `${view.path}  ${view.machine}  ${view.phase}`,
    `  address    ${view.address}`,
    `  mailbox    ${view.mailbox} waiting, ${view.processed} processed`,
    `  restarts   ${view.restarts}, this life began ${age(now - view.startedAt)} ago`,
    ...(lastCrash
      ? [
          `  last crash ${age(now - lastCrash.at)} ago in ${lastCrash.phaseBefore} by ${lastCrash.cause}: ${lastCrash.message}`,
        ]
      : []),
    ...(view.children.length > 0 ? [`  children   ${view.children.join(' ')}`] : []),
    '',
    JSON.stringify(view.context, null, 2),
  ];
}

async function runEvents(
  cli: Cli,
  options: { follow?: boolean; limit: string },
  path: string | undefined,
): Promise<number> {
  const client = await cli.client();
  const form = formOf(cli);
  const print = (line: TranscriptLine): void =>
    cli.print(form === 'table' || form === 'wide' ? line.text : JSON.stringify(line));
  const query = { path, limit: count(options.limit) };
  if (!options.follow) {
    const { interrupted } = cli.process;
    for await (const line of client.lines<TranscriptLine>('/v1/actors/transcript', query, interrupted))
      print(line);
    return 0;
  }
  let last = 0;
  return follow(
    cli,
    (signal) =>
      newer(
        client.lines<TranscriptLine>('/v1/actors/transcript', { ...query, follow: true }, signal),
        () => last,
      ),
    (line) => {
      last = line.seq;
      print(line);
    },
    () => {
      last = 0;
      cli.say(`-- another boot of the node, ${timestamp(cli.process.clock.now())}`);
    },
  );
}

async function* newer(
  lines: AsyncIterable<TranscriptLine>,
  last: () => number,
): AsyncGenerator<TranscriptLine> {
  for await (const line of lines) if (line.seq > last()) yield line;
}
