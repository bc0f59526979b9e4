/** The cluster: `cluster status`, `cluster token`, `cluster rotate`, `cluster leave`. */
import type { Command } from 'commander';
import type { JoinTokenView } from '../../../../protocols/cluster/token.ts';
import { apiText } from '../../../../protocols/cluster/api-place.ts';
import type { Reason } from '../../../../protocols/errors.ts';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { printListing, printOne, type Listing } from '../../output/listing.ts';
import { age } from '../../output/units.ts';
import { exitCodes } from '../../failure.ts';
import { action, leaf } from '../command.ts';
import { confirmed } from '../confirm.ts';

interface ClusterAnswer {
  readonly leader: string;
  readonly place?: {
    readonly label: string;
    readonly id: string;
    readonly name: string;
    readonly role: string;
    readonly address: string;
    readonly server: { readonly name: string; readonly address: string; readonly apiAddress?: string };
    readonly members: Readonly<Record<string, number>>;
    readonly certificate?: { readonly until: number; readonly unrenewed?: Reason };
    readonly gossipKeys?: readonly string[];
  };
  readonly store: { readonly revision?: number; readonly phase: string; readonly reason?: Reason };
}

export function clusterCommands(program: Command, cli: Cli): void {
  const cluster = program.command('cluster').description('nodes that belong together').helpGroup('Cluster:');
  const status = leaf(cluster, {
    usage: 'status',
    summary: 'what this node is in its cluster, who else is there, how long its certificate lasts',
    examples: ['hivemind cluster status', 'hivemind cluster status --json'],
    forms: true,
  });
  action(status, cli, async () => {
    const told = await (await cli.client()).get<ClusterAnswer>('/v1/cluster');
    await printOne(cli, told, told.place?.label ?? told.leader, () => statusLines(told, cli.now()));
    return 0;
  });
  tokenCommands(cluster, cli);
  const rotate = leaf(cluster, {
    usage: 'rotate',
    summary: 'exchange the key that the gossip is encrypted with',
    examples: ['hivemind cluster rotate'],
  });
  action(rotate, cli, async () => {
    const { gossipKeys, leftOut = [] } = await (
      await cli.client()
    ).send<{ gossipKeys: string[]; leftOut?: string[] }>('POST', '/v1/cluster/rotate');
    cli.print(`the gossip uses the key ${gossipKeys[0]}`);
    if (leftOut.length > 0)
      cli.say(
        `not told, because the store has none of that key by that name: ${leftOut.join(', ')}; to be a member again each joins with a new token`,
      );
    return 0;
  });
  const leave = leaf(cluster, {
    usage: 'leave',
    summary: 'this node leaves its cluster: its name is free, its daemon ends',
    examples: ['hivemind cluster leave', 'hivemind cluster leave --yes --force'],
  })
    .option('-y, --yes', 'do not ask')
    .option('--force', 'also while it runs slots: they keep running, and nobody looks after them');
  action(leave, cli, async ({ yes, force }: CommonOptions & { yes?: boolean; force?: boolean }) => {
    const client = await cli.client();
    const { place } = await client.get<ClusterAnswer>('/v1/cluster');
    const what = `the node ${place?.name} from the cluster ${place?.label}`;
    // Who may not leave is told so at once.
    if (place?.role === 'agent' && !yes && !(await confirmed(cli, place.name, what))) return exitCodes.error;
    const body = force ? { force } : {};
    const { running } = await client.send<{ running: number }>('POST', '/v1/cluster/leave', body);
    cli.print('this node has left the cluster');
    if (running > 0)
      cli.say(`${running} slots still run; nobody looks after them: hivemind purge removes them`);
    cli.say(
      'To be alone from now on, start it without --cluster-address and --join; to join again, with a new token.',
    );
    return 0;
  });
}

function tokenCommands(cluster: Command, cli: Cli): void {
  const token = leaf(cluster, {
    usage: 'token',
    summary: 'make a token with which a node joins; it is printed once and kept nowhere',
    examples: [
      'hivemind cluster token > token',
      'hivemind cluster token --ttl 12h --uses 20',
      'hivemind-node --cluster-address 10.0.0.2:4484 --join 10.0.0.1:4484 --token-file $PWD/token',
    ],
  })
    .option('--ttl <time>', 'how long it lets nodes in: 30m, 12h, 7d', '1h')
    .option('--uses <number>', 'how many nodes it lets in', '1');
  action(token, cli, async ({ ttl, uses }: CommonOptions & { ttl: string; uses: string }) => {
    const wish = { ttlS: seconds(ttl), uses: count(uses) };
    const client = await cli.client();
    const made = await client.send<JoinTokenView & { token: string }>(
      'POST',
      '/v1/cluster/join-tokens',
      wish,
    );
    cli.print(made.token);
    // The token is made: that nobody says where to come with it takes nothing from it.
    const told = await client.get<ClusterAnswer>('/v1/cluster').catch(() => undefined);
    const nodes = made.uses === 1 ? 'one node' : `${made.uses} nodes`;
    cli.say(
      `It lets ${nodes} join within ${ttl}. Copy it to a file there, and start the node with its own address:`,
    );
    cli.say(
      `  hivemind-node --cluster-address ITS-ADDRESS --join ${told?.place?.address ?? 'ADDRESS'} --token-file /ABSOLUTE/PATH`,
    );
    return 0;
  });
  const ls = leaf(token, {
    usage: 'ls',
    summary: 'list join tokens, without what opens',
    examples: ['hivemind cluster token ls'],
    forms: true,
  });
  action(ls, cli, () =>
    printListing(cli, listing(cli), async () => {
      const client = await cli.client();
      return (await client.get<{ tokens: readonly JoinTokenView[] }>('/v1/cluster/join-tokens')).tokens;
    }),
  );
  const revoke = leaf(token, {
    usage: 'revoke <id>',
    summary: 'end a join token at once; who is in stays in',
    examples: ['hivemind cluster token revoke 0123456789abcdef'],
  });
  action(revoke, cli, async (_options, [id]) => {
    await (await cli.client()).send('DELETE', `/v1/cluster/join-tokens/${encodeURIComponent(String(id))}`);
    cli.print(`the join token ${String(id)} is revoked`);
    return 0;
  });
}

function statusLines({ place, store, leader }: ClusterAnswer, now: number): readonly string[] {
  const rows: (readonly [string, string])[] = [];
  if (!place) {
    rows.push(['node', `${leader}, alone: it has no --cluster-address`]);
  } else {
    const { label, id, name, role, address, server, members, certificate, gossipKeys = [] } = place;
    const counts = Object.entries(members)
      .filter(([, many]) => many > 0)
      .map(([state, many]) => `${many} ${state}`);
    rows.push(['cluster', label], ['node', `${name} (${role}) at ${address}, ${id}`]);
    rows.push(['server', `${server.name} at ${server.address}; the only one: no failover yet`]);
    rows.push(['', serverApi(server)]);
    rows.push(['members', counts.join(', ')]);
    if (certificate) rows.push(['certificate', certificateText(certificate, now)]);
    rows.push(['gossip key', gossipKeys.join(', ')]);
  }
  const { revision, phase, reason } = store;
  rows.push(['store', reason ? `${reason.message} (${reason.code})` : `revision ${revision}, ${phase}`]);
  return rows.map(([title, text]) => `${title.padEnd(12)}  ${text}`);
}

function serverApi({ name, address, apiAddress }: NonNullable<ClusterAnswer['place']>['server']): string {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return apiText({ name, host, ...(apiAddress === undefined ? {} : { apiAddress }) });
}

function certificateText(
  { until, unrenewed }: { readonly until: number; readonly unrenewed?: Reason },
  now: number,
): string {
  const ends = until <= now ? 'has ended' : `ends in ${age(until - now)}, is renewed before`;
  return unrenewed ? `${ends}; not renewed so far: ${unrenewed.message}` : ends;
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

function seconds(text: string): number {
  const [, many, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (many === undefined) throw usage(`${text} is not a time`, 'Write it as 30m, 12h or 7d.');
  return Number(many) * units[unit]!;
}

function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw usage(`${text} is not a number of nodes`, 'As in: --uses 5');
  return Number(text);
}

function listing(cli: Cli): Listing<JoinTokenView> {
  return {
    name: ({ id }) => id,
    fields: ['id', 'createdAt', 'expiresAt', 'expired', 'uses', 'used'],
    empty: 'No join tokens. Next: hivemind cluster token',
    columns: [
      { title: 'ID', cell: ({ id }) => id },
      { title: 'USED', cell: ({ used, uses }) => `${used} of ${uses}` },
      { title: 'AGE', cell: ({ createdAt }) => age(cli.now() - createdAt) },
      {
        title: 'ENDS',
        cell: ({ expiresAt, expired }) => (expired ? 'expired' : `in ${age(expiresAt - cli.now())}`),
      },
    ],
  };
}
