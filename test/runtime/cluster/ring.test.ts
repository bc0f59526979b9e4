/** The exchange of the gossip's key: what every member has at each step, and where one goes on that broke off. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keys } from '../../../protocols/state/keys.ts';
import { readGossipKeys } from '../../../runtime/cluster/cluster-store.ts';
import { rotateGossipKeys } from '../../../runtime/cluster/ring.ts';
import { ClusterDesk } from './joining/desk.ts';

let desk: ClusterDesk;
beforeEach(async () => {
  desk = await new ClusterDesk().open();
});
afterEach(() => desk.close());

const names = async (): Promise<string[]> => (await readGossipKeys(desk.ports)).map(({ name }) => name);

test('added everywhere, then used everywhere, then the old one is gone from the store', async () => {
  const [old] = await names();
  const told: string[][] = [];
  const leftOut = await rotateGossipKeys(desk.ports, async (ring) => {
    told.push(ring.map(({ name }) => name));
    return ['n9'];
  });
  expect(leftOut).toEqual(['n9']);
  const [next] = await names();
  expect(told).toEqual([[old, next], [next, old], [next]]);
  const { kvs } = await desk.store.list({ prefix: keys.sealedUnder('cluster/gossip') });
  expect(kvs.map(({ key }) => key)).toEqual([keys.sealed('cluster/gossip', next!)]);
});

test.each([1, 2, 3])(
  'broken off at spread %i: asked again it goes on, and no third key comes up',
  async (at) => {
    const [old] = await names();
    let spread = 0;
    const breaking = async (): Promise<readonly string[]> => {
      if (++spread === at) throw new Error('n3 is away');
      return [];
    };
    await expect(rotateGossipKeys(desk.ports, breaking)).rejects.toThrow('n3 is away');
    const seen = new Set<string>([old!, ...(await names())]);
    const told: string[] = [];
    // The third spread is of the end: from there the next is an exchange of its own.
    if (at === 3) return expect(await names()).toHaveLength(1);
    await rotateGossipKeys(desk.ports, async (ring) => {
      told.push(...ring.map(({ name }) => name));
      return [];
    });
    for (const name of told) expect([...seen]).toContain(name);
    expect(await names()).toEqual([[...seen].find((name) => name !== old)]);
  },
);
