/** `debug bundle`: what a report of a defect needs, in one file. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Cli, CommonOptions } from '../../cli.ts';
import { exitCodes } from '../../failure.ts';
import { printOne } from '../../output/listing.ts';
import { action, leaf } from '../command.ts';

export function debugCommands(program: Command, cli: Cli): void {
  const debug = program.command('debug').description('for reports of defects').helpGroup('Meta:');
  const bundle = leaf(debug, {
    usage: 'bundle [flags...]',
    summary:
      'write versions, settings, findings, events, actors and apps of the node to a .tar.gz, without secrets',
    examples: ['hivemind debug bundle', 'hivemind debug bundle --file report.tar.gz -- --data-dir /srv/n2'],
    forms: true,
  }).option('--file <file>', 'where to (default: hivemind-debug-TIME.tar.gz here)');
  action(bundle, cli, ({ file }: CommonOptions & { file?: string }, [flags]) =>
    runBundle(cli, file, (flags ?? []) as string[]),
  );
}

/** `flags` are those of hivemind-node. 9 when something is missing: the file says what. */
async function runBundle(cli: Cli, wanted: string | undefined, flags: readonly string[]): Promise<number> {
  const { writeBundle } = await import('../../debug/bundle.ts');
  const stamp = new Date(cli.process.clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const file = resolve(cli.process.directory, wanted ?? `hivemind-debug-${stamp}.tar.gz`);
  const report = await writeBundle(cli, file, flags);
  await printOne(cli, report, report.file, () => [
    report.file,
    `  Values of environments and secrets are not in it. Look before you give it away: tar -tzf ${file}`,
  ]);
  for (const { part, why } of report.missing) cli.say(`! ${part}: ${why}`);
  return report.missing.length > 0 ? exitCodes.partial : exitCodes.ok;
}
