/**
 * Five nodes in network namespaces of their own, as users run them: whatever becomes of one of them or of the network
 * between them, afterwards every node says of every other what is so. Whether a node is alive is asked of each one's API.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cut, freeze, heal, kill, move, start, stop, thaw, wipe } from '../../../runtime/desk/desk.ts';
import { losePackets, readFaults } from '../../../runtime/desk/faults.ts';
import { statusOf } from '../../../runtime/desk/status.ts';
import { testDesk, tracesOf, type TestDesk } from '../../kit/cluster/desk.ts';
import { watchMembers, type MemberWatch, type View } from '../../kit/cluster/member-watch.ts';
import { getJson, missingForDaemon } from '../../kit/node/daemon.ts';
import { until } from '../../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);
const count = 5;
const numbers = Array.from({ length: count }, (_, index) => index + 1);

interface Known {
  readonly id: string;
  readonly address: string;
  readonly condition: string;
  readonly planes: { readonly datagram: { readonly heardAt: number } };
}

interface Cluster {
  readonly store: { readonly reason?: { readonly code: string; readonly message: string } };
}

describe.skipIf(missing !== undefined)('a cluster of five nodes', () => {
  let desk: TestDesk;
  let members: MemberWatch;
  const named = (...some: number[]): string => some.map((number) => nameOf(number)).join(',');
  const nameOf = (number: number): string => desk.nodes[number - 1]!.name;
  const nodesBut = (...some: number[]) => desk.nodes.filter(({ number }) => !some.includes(number));
  /** All alive but these. */
  const view = (others: Readonly<Record<number, string>> = {}): View =>
    Object.fromEntries(numbers.map((number) => [nameOf(number), others[number] ?? 'alive']));
  const whole = (): Promise<void> => members.agree(desk.nodes, view());
  /** What one node knows of another. */
  const known = async (by: number, about: number): Promise<Known> => {
    const asked = `/v1/nodes/${nameOf(about)}`;
    const { member } = await getJson<{ member: Known }>(desk.nodes[by - 1]!.socketPath, asked);
    return member;
  };
  /** Ends early where it has failed. */
  const lostMany = (many: number, died: () => readonly unknown[]) => async (): Promise<boolean> => {
    const { loss } = await readFaults(desk.name, desk.nodes);
    return (loss?.dropped ?? 0) >= many || died().length > 0;
  };
  const startAgain = async (number: number): Promise<void> => {
    await start(desk.name, nameOf(number));
    await members.follow(desk.nodes[number - 1]!);
  };

  beforeAll(async () => {
    desk = await testDesk();
    members = watchMembers();
    await desk.up({ count, runtime: 'process' });
    for (const node of desk.nodes) await members.follow(node);
  });
  beforeEach(async () => {
    await whole();
  });
  afterAll(async () => {
    members?.close();
    await desk?.end();
    expect(await tracesOf(desk.name)).toEqual([]);
  });

  test('a killed node is dead at all others, and alive at all when it is started again', async () => {
    await kill(desk.name, named(5));
    await members.agree(nodesBut(5), view({ 5: 'dead' }));
    await startAgain(5);
    await whole();
  });

  test('a node that is stopped says that it will be back: the others wait, and nobody calls it dead', async () => {
    const before = members.told.length;
    await stop(desk.name, nameOf(4));
    await until('it is known to be away', async () => (await known(2, 4)).condition === 'away');
    // Who is killed is dead sooner.
    await until('it is silent for long', async () => {
      const { heardAt } = (await known(2, 4)).planes.datagram;
      return Date.now() - heardAt >= 5_000;
    });
    await startAgain(4);
    await whole();
    expect(members.told.slice(before).filter(({ what }) => what === 'died')).toEqual([]);
  });

  test('a partition: each side calls the other dead, and all are alive when it is over', async () => {
    await cut(desk.name, named(1, 2), named(3, 4, 5), false);
    await members.agree(nodesBut(3, 4, 5), view({ 3: 'dead', 4: 'dead', 5: 'dead' }));
    await members.agree(nodesBut(1, 2), view({ 1: 'dead', 2: 'dead' }));
    const { store } = await getJson<Cluster>(desk.nodes[2]!.socketPath, '/v1/cluster');
    // A connection that was silent for 15 s says so, whoever asks just then.
    expect(store.reason?.code).toBe('HM-STORE-DOWN');
    expect(store.reason?.message).not.toContain('Nobody waits');
    await heal(desk.name);
    await whole();
  });

  test('a partition in one direction: who is not heard is dead, and alive again when it is', async () => {
    await cut(desk.name, named(3), named(1, 2, 4, 5), true);
    await members.agree(nodesBut(3), view({ 3: 'dead' }));
    await heal(desk.name);
    await whole();
  });

  test('two nodes that cannot reach each other in one direction stay alive: others ask for them', async () => {
    const before = members.told.length;
    await cut(desk.name, named(2), named(4), true);
    await until('many packets are dropped', async () => {
      const { cuts } = await readFaults(desk.name, desk.nodes);
      return cuts.every(({ dropped }) => dropped >= 30);
    });
    await whole();
    expect(members.told.slice(before).filter(({ what }) => what === 'died')).toEqual([]);
    await heal(desk.name);
  });

  test('a fifth of all packets is lost: nobody is called dead, and every node has the right view, then and afterwards', async () => {
    const before = members.told.length;
    const died = () => members.told.slice(before).filter(({ what }) => what === 'died');
    await losePackets(desk.name, 20);
    // So many are lost in half a minute of ten probes a second; a suspicion lasts two seconds.
    await until('many packets are lost, or somebody is called dead', lostMany(600, died), 240_000);
    expect(died()).toEqual([]);
    await whole();
    await heal(desk.name);
    await whole();
    expect(died()).toEqual([]);
  });

  test('a frozen node is dead, and alive when it runs on', async () => {
    await freeze(desk.name, named(4));
    await members.agree(nodesBut(4), view({ 4: 'dead' }));
    await thaw(desk.name, named(4));
    await whole();
  });

  test('the first node dies, which has the store: the others see it, and it is back when it starts', async () => {
    await kill(desk.name, named(1));
    await members.agree(nodesBut(1), view({ 1: 'dead' }));
    await startAgain(1);
    await whole();
  });

  test('a node comes back at another address, which the others know by then', async () => {
    const before = await known(4, 2);
    await move(desk.name, named(2));
    await members.follow(desk.nodes[1]!);
    await whole();
    const { address } = (await statusOf(desk.name)).nodes[1]!;
    expect(await known(4, 2)).toMatchObject({ id: before.id, address: `${address}:4484` });
    expect(before.address).not.toBe(`${address}:4484`);
  });

  test('a node whose disk is lost is another one and takes the name of the dead', async () => {
    const before = await known(4, 3);
    await kill(desk.name, named(3));
    await members.agree(nodesBut(3), view({ 3: 'dead' }));
    await wipe(desk.name, named(3));
    await startAgain(3);
    await whole();
    expect((await known(4, 3)).id).not.toBe(before.id);
  });

  test('a node that leaves has left at once at all others, and is no member any more', async () => {
    const left = await desk.cli('cluster', 'leave', '--yes', '--context', nameOf(5));
    expect([left.code, left.stderr]).toEqual([0, expect.any(String)]);
    await members.agree(nodesBut(5), view({ 5: 'left' }));
    await kill(desk.name, named(5));
    await wipe(desk.name, named(5));
    await startAgain(5);
    await whole();
  });
});
