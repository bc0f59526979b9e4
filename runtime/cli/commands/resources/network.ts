/** Networks: `network ls`. They come and go with the apps that declare them. */
import type { Command } from 'commander';
import type { NetworkView } from '../../../../protocols/network/view.ts';
import type { Cli } from '../../cli.ts';
import { printListing, type Listing } from '../../output/listing.ts';
import { action, leaf } from '../command.ts';

export function networkCommands(program: Command, cli: Cli): void {
  const network = program.command('network').description('networks of the apps').helpGroup('Resources:');
  const ls = leaf(network, {
    usage: 'ls',
    summary: 'list networks, and who stands on them; * is the open one, on which all apps meet',
    examples: ['hivemind network ls', 'hivemind network ls -o wide'],
    forms: true,
    watch: true,
  });
  action(ls, cli, async () => printListing(cli, listing, () => list(cli)));
}

async function list(cli: Cli): Promise<readonly NetworkView[]> {
  const client = await cli.client();
  return (await client.get<{ networks: readonly NetworkView[] }>('/v1/networks')).networks;
}

const listing: Listing<NetworkView> = {
  name: ({ id }) => id,
  fields: ['id', 'app', 'internal', 'subnets', 'members'],
  empty: 'No networks.',
  columns: [
    { title: 'NETWORK', cell: ({ id }) => id },
    { title: 'APP', cell: ({ app }) => app ?? '-' },
    { title: 'INTERNAL', cell: ({ internal }) => (internal ? 'yes' : 'no') },
    { title: 'SUBNET', cell: ({ subnets }) => subnets.join(' ') || '-' },
    { title: 'SLOTS', cell: ({ members }) => `${members.length}` },
    {
      title: 'MEMBERS',
      cell: ({ members }) => members.map(({ slot, address }) => `${slot}=${address}`).join(' ') || '-',
      wide: true,
    },
  ],
};
