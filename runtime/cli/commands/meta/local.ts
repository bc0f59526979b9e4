/** What is done on this machine without asking a node: `config show` and `purge`. Both read the settings as a node would. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { coded } from '../../../../protocols/errors.ts';
import type { ReadConfig } from '../../../config/node-config.ts';
import type { Cli, CommonOptions } from '../../cli.ts';
import { action, leaf } from '../command.ts';
import { confirmed } from '../confirm.ts';
import { exitCodes } from '../../failure.ts';
import { printListing, type Listing } from '../../output/listing.ts';

export function localCommands(program: Command, cli: Cli): void {
  const config = program.command('config').description('settings of the node').helpGroup('Meta:');
  const show = leaf(config, {
    usage: 'show [flags...]',
    summary: 'each setting that hivemind-node would start with here, and where it comes from',
    examples: ['hivemind config show', 'hivemind config show -- --name n2 --data-dir /srv/n2'],
    forms: true,
  });
  action(show, cli, (_options, [flags]) => showConfig(cli, (flags ?? []) as string[]));

  const purge = leaf(program, {
    usage: 'purge [flags...]',
    summary: 'remove everything that Hivemind made on this machine; the node must not run',
    examples: ['hivemind purge', 'hivemind purge -y -- --name n2 --data-dir /srv/n2'],
    group: 'Meta:',
  }).option('-y, --yes', 'do not ask');
  action(purge, cli, (options: CommonOptions & { yes?: boolean }, [flags]) =>
    runPurge(cli, options.yes ?? false, (flags ?? []) as string[]),
  );
}

interface SettingRow {
  readonly name: string;
  readonly value: unknown;
  /** `--name`, `HIVEMIND_NAME`, `/etc/hivemind/config.yaml:3`, `default`. */
  readonly origin: string;
}

const settingListing: Listing<SettingRow> = {
  name: ({ name }) => name,
  fields: ['name', 'value', 'origin'],
  empty: 'There are no settings.',
  columns: [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'VALUE', cell: ({ value }) => valueText(value) },
    { title: 'ORIGIN', cell: ({ origin }) => origin },
  ],
};

/** As a person would write it as a flag. */
function valueText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.join(',');
  if ('host' in value && 'port' in value) return `${String(value.host)}:${String(value.port)}`;
  return (
    Object.entries(value)
      .map(([key, each]) => `${key}=${String(each)}`)
      .join(',') || '-'
  );
}

/** Read here and now, by the rules of the node: a node that runs already was started with what it found then. */
async function showConfig(cli: Cli, flags: readonly string[]): Promise<number> {
  const { config, origins } = await settingsOf(cli, flags);
  const rows = Object.entries(config).map(([name, value]) => {
    const origin = (origins as Readonly<Record<string, string | undefined>>)[name];
    return { name, value: value as unknown, origin: origin ?? 'default' };
  });
  return printListing(cli, settingListing, () => Promise.resolve(rows));
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw coded('HM-CONFIG', `${path}: ${(thrown as Error).message}`, { file: path });
  }
}

/** `flags` are those of hivemind-node. Rejects with HM-CONFIG. */
async function settingsOf(cli: Cli, flags: readonly string[]): Promise<ReadConfig> {
  const { readNodeConfig } = await import('../../../config/node-config.ts');
  return readNodeConfig(flags, cli.process.environment, readIfThere);
}

async function runPurge(cli: Cli, yes: boolean, flags: readonly string[]): Promise<number> {
  const { config } = await settingsOf(cli, flags);
  const what = `every container, image, volume and setting of the node ${config.name} in ${config.dataDir}`;
  if (!yes && !(await confirmed(cli, config.name, what))) return exitCodes.error;
  await cli.process.purge(config, (line) => cli.say(line));
  cli.print(`${config.name} is purged`);
  return exitCodes.ok;
}
