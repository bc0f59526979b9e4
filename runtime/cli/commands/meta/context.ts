/** `context …`: clusters by name. */
import type { Command } from 'commander';
import { isAbsolute, resolve } from 'node:path';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { parseAddress } from '../../connection/address.ts';
import { contextNamed, readContexts, writeContexts } from '../../connection/contexts.ts';
import { printListing, type Listing } from '../../output/listing.ts';
import { action, leaf } from '../command.ts';

interface ContextRow {
  readonly name: string;
  readonly address: string;
  readonly tokenFile?: string;
  readonly current: boolean;
}

export function contextCommands(program: Command, cli: Cli): void {
  const context = program
    .command('context')
    .description('clusters by name, for --context and HIVEMIND_CONTEXT')
    .helpGroup('Meta:');
  const ls = leaf(context, {
    usage: 'ls',
    summary: 'list contexts; * is used when nothing else is said',
    examples: ['hivemind context ls', 'hivemind context ls -o name'],
    forms: true,
  });
  action(ls, cli, () => printListing(cli, listing, () => rows(cli)));

  const set = leaf(context, {
    usage: 'set <name> <where>',
    summary: 'add or change a context: a socket, or host:port with --token-file',
    examples: [
      'hivemind context set home /run/hivemind/n1.sock',
      'hivemind context set prod 127.0.0.1:4483 --token-file ~/prod.token',
    ],
  });
  action(set, cli, (options: CommonOptions, [name, where]) =>
    setContext(cli, String(name), String(where), options.tokenFile),
  );

  const use = leaf(context, {
    usage: 'use [name]',
    summary: 'use it when nothing else is said; without a name, the node of this machine again',
    examples: ['hivemind context use prod', 'hivemind context use'],
  });
  action(use, cli, (_options, [name]) => useContext(cli, name === undefined ? undefined : String(name)));

  const rm = leaf(context, {
    usage: 'rm <name>',
    summary: 'forget a context',
    examples: ['hivemind context rm prod'],
  });
  action(rm, cli, (_options, [name]) => removeContext(cli, String(name)));
}

const listing: Listing<ContextRow> = {
  name: ({ name }) => name,
  fields: ['name', 'address', 'tokenFile', 'current'],
  empty: 'No context: the node of this machine is used. Next: hivemind context set NAME ADDRESS',
  columns: [
    { title: 'NAME', cell: ({ name, current }) => (current ? `${name}*` : name) },
    { title: 'ADDRESS', cell: ({ address }) => address },
    { title: 'TOKEN-FILE', cell: ({ tokenFile }) => tokenFile ?? '-' },
  ],
};

async function rows(cli: Cli): Promise<readonly ContextRow[]> {
  const { contexts, current } = await readContexts(cli.process);
  return Object.entries(contexts)
    .map(([name, context]) => ({ name, ...context, current: name === current }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function setContext(
  cli: Cli,
  name: string,
  where: string,
  tokenFile: string | undefined,
): Promise<number> {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(name)) {
    throw usage(`${name} cannot be the name of a context`, 'Letters, digits, - _ and ., at most 63.');
  }
  // Only what it would be understood as later is kept.
  parseAddress(where);
  const { directory } = cli.process;
  const token = tokenFile === undefined || isAbsolute(tokenFile) ? tokenFile : resolve(directory, tokenFile);
  const known = await readContexts(cli.process);
  const context = { address: where, ...(token === undefined ? {} : { tokenFile: token }) };
  await writeContexts(cli.process, { ...known, contexts: { ...known.contexts, [name]: context } });
  cli.say(`Context ${name} is ${where}. Use it: hivemind context use ${name}`);
  return 0;
}

async function useContext(cli: Cli, name: string | undefined): Promise<number> {
  const { contexts, ...known } = await readContexts(cli.process);
  if (name === undefined) {
    await writeContexts(cli.process, { contexts });
    cli.say('The node of this machine is used.');
    return 0;
  }
  contextNamed({ ...known, contexts }, name);
  await writeContexts(cli.process, { contexts, current: name });
  cli.say(`${name} is used.`);
  return 0;
}

async function removeContext(cli: Cli, name: string): Promise<number> {
  const known = await readContexts(cli.process);
  contextNamed(known, name);
  const { [name]: _gone, ...contexts } = known.contexts;
  const { current } = known;
  await writeContexts(cli.process, {
    contexts,
    ...(current === undefined || current === name ? {} : { current }),
  });
  cli.say(`${name} is forgotten.`);
  return 0;
}
