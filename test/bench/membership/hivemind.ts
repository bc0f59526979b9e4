/** Ours: daemons as users run them, one in each network namespace of a desk, without containers; they tell news by their API. */
import { bringUp, start } from '../../../runtime/desk/desk.ts';
import { nodesOf } from '../../../runtime/desk/names.ts';
import { daemonOf } from '../../../runtime/desk/processes.ts';
import { watchMembers } from '../../kit/cluster/member-watch.ts';
import type { ClusterUnderTest, News } from './cluster-under-test.ts';
import { sweptDesk } from './swept-desk.ts';

const kinds: Readonly<Record<string, News['what']>> = {
  died: 'dead',
  joined: 'alive',
  restarted: 'alive',
  recovered: 'alive',
};

/** All of them alive to all of them. */
export async function startHivemind(count: number): Promise<ClusterUnderTest> {
  const members = watchMembers();
  const news: News[] = [];
  members.onTold(({ by, about, what, at }) => {
    const kind = kinds[what];
    if (kind) news.push({ by, about, what: kind, at });
  });
  const pids = new Map<string, number>();
  const desk = await sweptDesk('bench', async ({ name, environment }) => {
    await bringUp(name, { count, runtime: 'process', environment, progress: () => undefined });
    const nodes = nodesOf(name, count);
    for (const node of nodes) {
      await members.follow(node);
      pids.set(node.name, (await daemonOf(node))!.pid);
    }
    await members.agree(nodes, Object.fromEntries(nodes.map((node) => [node.name, 'alive'])));
  });
  const nodes = nodesOf(desk.name, count);
  return {
    names: nodes.map(({ name }) => name),
    news,
    pidOf: (name) => pids.get(name)!,
    start: async (name) => {
      const node = nodes.find((one) => one.name === name)!;
      await start(desk.name, name);
      await members.follow(node);
      pids.set(name, (await daemonOf(node))!.pid);
    },
    end: async () => {
      members.close();
      await desk.end();
    },
  };
}
