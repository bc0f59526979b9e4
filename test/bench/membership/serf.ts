/** The peer: agents of Debian's `serf`, LAN profile, one in each network namespace of a desk; they tell news by their log. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { rm } from 'node:fs/promises';
import { deskCalled, network, nodesOf, type DeskNode } from '../../../runtime/desk/names.ts';
import { freeSecond, makeNetwork, removeNetwork } from '../../../runtime/desk/network.ts';
import { until } from '../../kit/until.ts';
import type { ClusterUnderTest, News } from './cluster-under-test.ts';

export const hasSerf = (): boolean => spawnSync('serf', ['version']).status === 0;

/** All of them alive to all of them. */
export async function startSerf(count: number): Promise<ClusterUnderTest> {
  const desk = deskCalled('serf');
  await removeNetwork(desk);
  const second = await freeSecond(desk);
  const nodes = nodesOf(desk, count);
  await makeNetwork(desk, nodes, second);
  const agents = new Map<string, ChildProcess>();
  const news: News[] = [];
  const first = network.node(second, nodes[0]!);
  const launch = (node: DeskNode): void => {
    const address = network.node(second, node);
    const args = ['agent', `-node=${node.name}`, `-bind=${address}:7946`, '-rpc-addr=127.0.0.1:7373'];
    // Whoever comes back asks another than itself.
    const seed = address === first ? network.node(second, nodes[1]!) : first;
    const joining = ['-profile=lan', `-retry-join=${seed}:7946`, '-retry-interval=1s'];
    const agent = spawn('nsenter', [`--net=/run/netns/${node.namespace}`, 'serf', ...args, ...joining], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    agents.set(node.name, agent);
    createInterface({ input: agent.stdout }).on('line', (line) => {
      const said = /serf: EventMember(Join|Failed): (\S+)/.exec(line);
      if (!said || said[2] === node.name) return;
      const what = said[1] === 'Join' ? 'alive' : 'dead';
      news.push({ by: node.name, about: said[2]!, what, at: performance.now() });
    });
    agent.stderr.resume();
  };
  const cluster: ClusterUnderTest = {
    names: nodes.map(({ name }) => name),
    news,
    pidOf: (name) => agents.get(name)!.pid!,
    start: (name) => Promise.resolve(launch(nodes.find((node) => node.name === name)!)),
    end: async () => {
      for (const agent of agents.values()) {
        if (agent.exitCode !== null || agent.signalCode !== null) continue;
        agent.kill('SIGKILL');
        await once(agent, 'exit');
      }
      await removeNetwork(desk);
      await rm(desk.folder, { recursive: true, force: true });
    },
  };
  try {
    for (const node of nodes) launch(node);
    const wanted = count * (count - 1);
    await until('all agents of serf know each other', () => pairsOf(news) === wanted, 60_000);
  } catch (thrown) {
    await cluster.end();
    throw thrown;
  }
  return cluster;
}

const pairsOf = (news: readonly News[]): number =>
  new Set(news.filter(({ what }) => what === 'alive').map(({ by, about }) => `${by} ${about}`)).size;
