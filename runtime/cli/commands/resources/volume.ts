/** Volumes: `volume ls`, `volume create`, `volume rm`. What an app mounts is never removed here. */
import type { Command } from 'commander';
import type { Cli, CommonOptions } from '../../cli.ts';
import { usage } from '../../cli.ts';
import { printListing, type Listing } from '../../output/listing.ts';
import { bytes } from '../../output/units.ts';
import { action, leaf } from '../command.ts';
import { confirmed } from '../confirm.ts';

interface VolumeRow {
  readonly name: string;
  readonly node: string;
  readonly path?: string;
  readonly removing: boolean;
  readonly usedBy: readonly string[];
  /** Absent where there is too much to count. */
  readonly diskBytes?: number;
}

export function volumeCommands(program: Command, cli: Cli): void {
  const volume = program.command('volume').description('volumes of this node').helpGroup('Resources:');
  const ls = leaf(volume, {
    usage: 'ls',
    summary: 'list volumes, who mounts them and what they take on disk',
    examples: ['hivemind volume ls', 'hivemind volume ls -o wide'],
    forms: true,
  });
  action(ls, cli, async () =>
    printListing(cli, listing, async () => {
      const client = await cli.client();
      return (await client.get<{ volumes: readonly VolumeRow[] }>('/v1/volumes', { disk: 'true' })).volumes;
    }),
  );
  const create = leaf(volume, {
    usage: 'create <volume>',
    summary: 'make a volume before an app does',
    examples: ['hivemind volume create shop/data'],
  });
  action(create, cli, async (_options, [name]) => {
    const [app, own] = partsOf(String(name));
    await (await cli.client()).send('POST', '/v1/volumes', { app, volume: own });
    cli.print(`${app}/${own} is there`);
    return 0;
  });
  const rm = leaf(volume, {
    usage: 'rm <volume>',
    summary: 'remove a volume with all that is in it',
    examples: ['hivemind volume rm shop/data'],
  }).option('-y, --yes', 'without a question');
  action(rm, cli, async (options: CommonOptions & { yes?: boolean }, [name]) => {
    const [app, own] = partsOf(String(name));
    const full = `${app}/${own}`;
    if (!options.yes && !(await confirmed(cli, full, `the volume ${full} with all that is in it`))) return 1;
    await (await cli.client()).send('DELETE', `/v1/volumes/${app}/${own}`);
    cli.print(`${full} is removed`);
    return 0;
  });
}

function partsOf(name: string): readonly [string, string] {
  const [app = '', volume = '', ...more] = name.split('/');
  if (app !== '' && volume !== '' && more.length === 0) return [app, volume];
  throw usage(`${name} is not a volume`, 'As in shop/data: hivemind volume ls');
}

const listing: Listing<VolumeRow> = {
  name: ({ name }) => name,
  fields: ['name', 'node', 'path', 'removing', 'usedBy', 'diskBytes'],
  empty: 'No volumes.',
  columns: [
    { title: 'VOLUME', cell: ({ name }) => name },
    { title: 'DISK', cell: ({ diskBytes }) => (diskBytes === undefined ? '-' : bytes(diskBytes)) },
    { title: 'USED BY', cell: ({ usedBy }) => usedBy.join(' ') || '-' },
    { title: 'NODE', cell: ({ node }) => node },
    { title: 'PATH', cell: ({ path }) => path ?? '-', wide: true },
  ],
};
