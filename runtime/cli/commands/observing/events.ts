/** `events`: what happened on the node, once or as it goes on. */
import type { Command } from 'commander';
import type { LoggedEvent } from '../../../node-handle.ts';
import type { Cli, CommonOptions } from '../../cli.ts';
import type { EventsAnswer, SeenEvent } from '../../connection/answers.ts';
import { formOf, render, type Listing } from '../../output/listing.ts';
import { timestamp } from '../../output/units.ts';
import { action, leaf } from '../command.ts';
import { count, follow } from '../../connection/follow.ts';

export function eventsCommand(program: Command, cli: Cli): void {
  const events = leaf(program, {
    usage: 'events',
    summary: 'what happened on the node',
    examples: ['hivemind events', 'hivemind events -f', 'hivemind events -n 500 -o jsonl'],
    group: 'Observe:',
    forms: true,
  })
    .option('-f, --follow', 'keep printing new events')
    .option('-n, --limit <count>', 'newest events to print', '50');
  action(events, cli, (options: CommonOptions & { follow?: boolean; limit: string }) =>
    runEvents(cli, options),
  );
}

async function runEvents(cli: Cli, options: { follow?: boolean; limit: string }): Promise<number> {
  const client = await cli.client();
  const form = formOf(cli);
  const print = async (events: readonly LoggedEvent[]): Promise<void> => {
    if (form === 'table' || form === 'wide') for (const event of events) cli.print(eventLine(event));
    else
      for (const line of await render(cli, eventListing, events, options.follow ? 'jsonl' : form))
        cli.print(line);
  };
  const { events, cursor } = await client.get<EventsAnswer>('/v1/events', { limit: count(options.limit) });
  await print(events);
  if (!options.follow) {
    if (events.length === 0) cli.say('Nothing has happened yet.');
    return 0;
  }
  let last = cursor;
  return follow(
    cli,
    (signal) => client.lines<SeenEvent>('/v1/events/stream', { cursor: last }, signal),
    async (event) => {
      last = event.cursor;
      await print([event]);
    },
    // The cursor holds over restarts of the node.
    () => {},
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
