/** The peer: agents of Debian's `serf`, LAN profile, one in each network namespace of a desk; they tell news by their log. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { deskCalled, network, nodesOf, type DeskNode } from '../../../runtime/desk/names.ts';
import { freeSecond, makeNetwork } from '../../../runtime/desk/network.ts';
import { until } from '../../kit/until.ts';
import type { ClusterUnderTest, News } from './cluster-under-test.ts';
import { sweptDesk } from './swept-desk.ts';

export const hasSerf = (): boolean => spawnSync('serf', ['version']).status === 0;

/** All of them alive to all of them. `tag`: of the desk they stand on. */
export async function startSerf(tag: string, count: number): Promise<ClusterUnderTest> {
  const agents = new Map<string, ChildProcess>();
  const news: News[] = [];
  const nodes = nodesOf(deskCalled(tag), count);
  let second = 0;
  const launch = (node: DeskNode): void => {
    const args = ['agent', `-node=${node.name}`, `-bind=${network.node(second, node)}:7946`];
    // Whoever comes back asks another than itself.
    const seed = network.node(second, nodes[node === nodes[0] ? 1 : 0]!);
    const joining = ['-profile=lan', `-retry-join=${seed}:7946`, '-retry-interval=1s'];
    const inNamespace = [`--net=/run/netns/${node.namespace}`, 'serf', ...args, '-rpc-addr=127.0.0.1:7373'];
    const agent = spawn('nsenter', [...inNamespace, ...joining], { stdio: ['ignore', 'pipe', 'ignore'] });
    agents.set(node.name, agent);
    createInterface({ input: agent.stdout }).on('line', (line) => {
      const said = /serf: EventMember(Join|Failed): (\S+)/.exec(line);
      if (!said || said[2] === node.name) return;
      const what = said[1] === 'Join' ? 'alive' : 'dead';
      news.push({ by: node.name, about: said[2]!, what, at: performance.now() });
    });
  };
  const desk = await sweptDesk(tag, async ({ name }) => {
    second = await freeSecond(name);
    await makeNetwork(name, nodes, second);
    for (const node of nodes) launch(node);
    const wanted = count * (count - 1);
    await until('all agents of serf know each other', () => pairsOf(news) === wanted, 60_000);
  });
  return {
    names: nodes.map(({ name }) => name),
    news,
    pidOf: (name) => agents.get(name)!.pid!,
    start: (name) => Promise.resolve(launch(nodes.find((node) => node.name === name)!)),
    end: () => desk.end(),
  };
}

const pairsOf = (news: readonly News[]): number =>
  new Set(news.filter(({ what }) => what === 'alive').map(({ by, about }) => `${by} ${about}`)).size;
