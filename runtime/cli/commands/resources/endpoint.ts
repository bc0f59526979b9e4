/** Endpoints: `endpoint ls`. They come and go with the containers of services. */
import type { Command } from 'commander';
import type { Cli, CommonOptions } from '../../cli.ts';
import { action, leaf } from '../command.ts';

export function endpointCommands(program: Command, cli: Cli): void {
  const endpoint = program
    .command('endpoint')
    .description('where the containers of services answer')
    .helpGroup('Resources:');
  const ls = leaf(endpoint, {
    usage: 'ls [target]',
    summary: 'list endpoints on all nodes: ready or not, as of when, and which may be used',
    examples: [
      'hivemind endpoint ls',
      'hivemind endpoint ls shop/web -w',
      'hivemind endpoint ls --node n2',
      'hivemind endpoint ls --json=slot,node,address,ready',
    ],
    forms: true,
    watch: true,
  }).option('--node <name>', 'of that node alone');
  action<CommonOptions & { node?: string }>(ls, cli, async ({ node }, [target]) => {
    const { listEndpoints } = await import('../../views/endpoints.ts');
    return listEndpoints(cli, target === undefined ? undefined : String(target), node);
  });
}
