/** Ours: daemons as users run them, one in each network namespace of a desk, without containers; they tell news by their API. */
import { rm } from 'node:fs/promises';
import { bringDown, bringUp, start } from '../../../runtime/desk/desk.ts';
import { deskCalled, nodesOf } from '../../../runtime/desk/names.ts';
import { daemonOf } from '../../../runtime/desk/processes.ts';
import { watchMembers } from '../../kit/cluster/member-watch.ts';
import type { ClusterUnderTest, News } from './cluster-under-test.ts';

const kinds: Readonly<Record<string, News['what']>> = {
  died: 'dead',
  joined: 'alive',
  restarted: 'alive',
  recovered: 'alive',
};

/** All of them alive to all of them. `home`: where the tool's contexts may be written. */
export async function startHivemind(count: number, home: string): Promise<ClusterUnderTest> {
  const desk = deskCalled('bench');
  const environment = { HOME: home };
  await bringDown(desk, environment, () => undefined);
  const nodes = nodesOf(desk, count);
  const members = watchMembers();
  const news: News[] = [];
  members.onTold(({ by, about, what, at }) => {
    const kind = kinds[what];
    if (kind) news.push({ by, about, what: kind, at });
  });
  const pids = new Map<string, number>();
  const met = async (name: string): Promise<void> => {
    const node = nodes.find((one) => one.name === name)!;
    await members.follow(node);
    pids.set(name, (await daemonOf(node))!.pid);
  };
  const end = async (): Promise<void> => {
    members.close();
    await bringDown(desk, environment, () => undefined);
    await rm(home, { recursive: true, force: true });
  };
  try {
    await bringUp(desk, { count, runtime: 'process', environment, progress: () => undefined });
    for (const { name } of nodes) await met(name);
    const alive = Object.fromEntries(nodes.map(({ name }) => [name, 'alive']));
    await members.agree(nodes, alive);
  } catch (thrown) {
    await end();
    throw thrown;
  }
  return {
    names: nodes.map(({ name }) => name),
    news,
    pidOf: (name) => pids.get(name)!,
    start: async (name) => {
      await start(desk, name);
      await met(name);
    },
    end,
  };
}
