/** Named tokens of the API: `token create`, `token ls`, `token revoke`; and `api`: any request, as it is. */
import type { Command } from 'commander';
import type { TokenView } from '../../../../protocols/security/tokens.ts';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { printListing, type Listing } from '../../output/listing.ts';
import { age } from '../../output/units.ts';
import { action, leaf } from '../command.ts';

export function tokenCommands(program: Command, cli: Cli): void {
  const token = program.command('token').description('tokens for the API over TCP').helpGroup('Resources:');
  const create = leaf(token, {
    usage: 'create <name>',
    summary: 'make a token; it is printed once and kept nowhere',
    examples: ['hivemind token create ci --scope write', 'hivemind token create grafana --expires 90d'],
  })
    .option('--scope <scope>', 'read, write or admin', 'read')
    .option('--expires <time>', 'when it ends: 12h, 90d; never without it');
  action(create, cli, async (options: CommonOptions & { scope: string; expires?: string }, [name]) => {
    const client = await cli.client();
    const expires = options.expires === undefined ? {} : { expiresInS: seconds(options.expires) };
    const wish = { name, scope: options.scope, ...expires };
    const { token: made } = await client.send<{ token: string }>('POST', '/v1/tokens', wish);
    cli.print(made);
    return 0;
  });
  const ls = leaf(token, {
    usage: 'ls',
    summary: 'list tokens, without what opens',
    examples: ['hivemind token ls', 'hivemind token ls --json'],
    forms: true,
  });
  action(ls, cli, () =>
    printListing(cli, listing(cli), async () => {
      const client = await cli.client();
      return (await client.get<{ tokens: readonly TokenView[] }>('/v1/tokens')).tokens;
    }),
  );
  const revoke = leaf(token, {
    usage: 'revoke <name>',
    summary: 'end a token at once',
    examples: ['hivemind token revoke ci'],
  });
  action(revoke, cli, async (_options, [name]) => {
    await (await cli.client()).send('DELETE', `/v1/tokens/${encodeURIComponent(String(name))}`);
    cli.print(`${String(name)} is revoked`);
    return 0;
  });
  apiCommand(program, cli);
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

function seconds(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count === undefined) throw usage(`${text} is not a time`, 'Write it as 12h or 90d.');
  return Number(count) * units[unit]!;
}

function listing(cli: Cli): Listing<TokenView> {
  return {
    name: ({ name }) => name,
    fields: ['name', 'scope', 'createdAt', 'expiresAt', 'expired'],
    empty: 'No tokens. Next: hivemind token create NAME',
    columns: [
      { title: 'NAME', cell: ({ name }) => name },
      { title: 'SCOPE', cell: ({ scope }) => scope },
      { title: 'AGE', cell: ({ createdAt }) => age(cli.now() - createdAt) },
      {
        title: 'ENDS',
        cell: ({ expiresAt, expired }) =>
          expired ? 'expired' : expiresAt === undefined ? 'never' : `in ${age(expiresAt - cli.now())}`,
      },
    ],
  };
}

const methods = ['GET', 'PUT', 'POST', 'DELETE'] as const;

function apiCommand(program: Command, cli: Cli): void {
  const api = leaf(program, {
    usage: 'api <method> [path]',
    summary: 'ask the API and print its JSON; a path alone is a GET; see /v1/openapi.json',
    examples: [
      'hivemind api /v1/nodes',
      `hivemind api POST /v1/apps/shop/restart --body '{"service":"web"}'`,
    ],
    group: 'Meta:',
  }).option('--body <json>', 'the body of the request');
  action(api, cli, async (options: CommonOptions & { body?: string }, [first, second]) => {
    const [given, path] =
      second === undefined && String(first).startsWith('/') ? ['GET', first] : [first, second];
    const method = methods.find((one) => one === String(given).toUpperCase());
    if (!method) throw usage(`${String(given)} is not a method`, `One of ${methods.join(', ')}`);
    if (!String(path ?? '').startsWith('/'))
      throw usage('A path begins with /', 'As in: hivemind api GET /v1/apps');
    const body = options.body === undefined ? undefined : parsed(options.body);
    const answer = await (await cli.client()).send<object>(method, String(path), body);
    cli.print(JSON.stringify(answer, null, 2));
    return 0;
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw usage('The body is not JSON', `As in: --body '{"service":"web"}'`);
  }
}
