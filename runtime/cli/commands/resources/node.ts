/** The nodes of the cluster as the one that answers sees them: `node ls`, `node show`, `node rtt`, `node traffic`. */
import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { action, leaf } from '../command.ts';

export function memberCommands(program: Command, cli: Cli): void {
  const node = program.command('node').description('nodes of the cluster').helpGroup('Cluster:');
  const ls = leaf(node, {
    usage: 'ls',
    summary: 'the nodes, which of them are alive, and who suspects whom',
    examples: ['hivemind node ls', 'hivemind node ls -w', 'hivemind node ls -o wide'],
    forms: true,
    watch: true,
  });
  action(ls, cli, async () => (await import('../../views/nodes.ts')).listNodes(cli));
  const show = leaf(node, {
    usage: 'show <node>',
    summary: 'one node: how it stands, what each plane says, its machine',
    examples: ['hivemind node show n2', 'hivemind node show n2 --json'],
    forms: true,
  });
  action(show, cli, async (_options, [name]) =>
    (await import('../../views/nodes.ts')).showNode(cli, String(name)),
  );
  const traffic = leaf(node, {
    usage: 'traffic',
    summary: 'what passed between this node and the others, by message type and kind of packet',
    examples: ['hivemind node traffic', 'hivemind node traffic -w', 'hivemind node traffic --json'],
    forms: true,
    watch: true,
  });
  action(traffic, cli, async () => (await import('../../views/traffic.ts')).listTraffic(cli));
  const rtt = leaf(node, {
    usage: 'rtt',
    summary: 'round trips to every node, over datagrams and over streams',
    examples: ['hivemind node rtt', 'hivemind node rtt -w'],
    forms: true,
    watch: true,
  });
  action(rtt, cli, async () => (await import('../../views/nodes.ts')).listTrips(cli));
}
