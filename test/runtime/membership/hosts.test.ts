/** Five nodes' membership subtrees in virtual time: found, killed, cut, healed, left, restarted, stalled. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import { agree, memberCluster, type ClusterNode, type MemberCluster } from '../../kit/cluster/members.ts';

async function five(seed = 1): Promise<{ cluster: MemberCluster; nodes: ClusterNode[] }> {
  const cluster = memberCluster(seed);
  const nodes: ClusterNode[] = [];
  for (const digit of ['1', '2', '3', '4', '5']) nodes.push(await cluster.start(digit));
  await cluster.until('all see all', () => agree(nodes), 10_000);
  return { cluster, nodes };
}

const told = ({ events }: ClusterNode, type: string): string[] =>
  events.filter((event) => event.type === type).map(({ subject }) => subject);

describe('five members', () => {
  test('find each other through one seed, and each has an actor for every other', async () => {
    const { cluster, nodes } = await five();
    await cluster.clock.advance(1_000);
    for (const node of nodes) {
      expect(told(node, 'member.joined').sort()).toEqual(
        nodes.filter((other) => other !== node).map(({ digit }) => `n${digit}`),
      );
      const tree = node.membership.actors.tree();
      await cluster.clock.settle();
      const members = (await tree).filter(({ machine }) => machine === 'member');
      expect(members.map(({ phase }) => phase)).toEqual(['alive', 'alive', 'alive', 'alive']);
    }
  });

  test('a killed one is suspected, with who says so and since when, then dead everywhere within 5 s', async () => {
    const { cluster, nodes } = await five();
    const [n1, n2, n3, n4, n5] = nodes as [ClusterNode, ClusterNode, ClusterNode, ClusterNode, ClusterNode];
    const others = [n1, n3, n4, n5];
    await cluster.kill(n2);
    await cluster.until('n2 is suspected', () => n1.sees()['n2'] === 'suspected', 3_000);
    const suspect = n1.membership.members().find(({ name }) => name === 'n2')!;
    expect(suspect.suspectedBy.length).toBeGreaterThan(0);
    for (const { name, since } of suspect.suspectedBy) {
      expect(['n1', 'n3', 'n4', 'n5']).toContain(name);
      expect(since).toBeLessThanOrEqual(cluster.clock.now());
      expect(since).toBeGreaterThan(cluster.clock.now() - 3_000);
    }
    const took = await cluster.until(
      'n2 is dead',
      () => others.every((node) => node.sees()['n2'] === 'dead'),
      5_000,
    );
    expect(took).toBeLessThanOrEqual(5_000);
    await cluster.clock.advance(100);
    for (const node of others) {
      expect(told(node, 'member.suspected')).toEqual(['n2']);
      expect(told(node, 'member.died')).toEqual(['n2']);
      expect(node.changes.map(({ what, member }) => `${what} ${member.name}`).slice(-2)).toEqual([
        'suspected n2',
        'died n2',
      ]);
    }
  });

  test('one that starts anew under its name, and with another address, is the same member again', async () => {
    const { cluster, nodes } = await five();
    await cluster.kill(nodes[1]!);
    await cluster.until('n2 is dead', () => nodes[0]!.sees()['n2'] === 'dead', 10_000);
    const again = await cluster.start('2', { boot: 2, host: '10.0.1.2' });
    const all = nodes.map((node, at) => (at === 1 ? again : node));
    await cluster.until('all see all again', () => agree(all), 10_000);
    await cluster.clock.advance(100);
    expect(told(nodes[0]!, 'member.restarted')).toEqual(['n2']);
    expect(nodes[0]!.membership.members().filter(({ name }) => name === 'n2')).toMatchObject([
      { address: { host: '10.0.1.2' }, incarnation: { boot: 2 } },
    ]);
  });

  test('halves that gave each other up find together within 10 s of healing', async () => {
    const { cluster, nodes } = await five();
    for (const a of nodes.slice(0, 2)) for (const b of nodes.slice(2)) cluster.cut(a, b);
    await cluster.until(
      'each half holds the other for dead',
      () =>
        nodes.every((node) => Object.values(node.sees()).filter((status) => status === 'dead').length >= 2),
      30_000,
    );
    await cluster.clock.advance(120_000);
    cluster.heal();
    await cluster.until('all see all again', () => agree(nodes), 10_000);
  });

  test('one that leaves is left, not dead, and nobody suspects it on the way', async () => {
    const { cluster, nodes } = await five();
    const leaving = nodes[4]!;
    const left = leaving.membership.leave();
    await cluster.clock.advance(2_000);
    await left;
    await cluster.kill(leaving);
    await cluster.clock.advance(20_000);
    for (const node of nodes.slice(0, 4)) {
      expect(node.sees()['n5']).toBe('left');
      expect([told(node, 'member.left'), told(node, 'member.suspected')]).toEqual([['n5'], []]);
    }
  });

  test('one that said when it is back is not suspected until then, and afterwards it is', async () => {
    const { cluster, nodes } = await five();
    const away = nodes[3]!.membership.away(15_000);
    await cluster.clock.advance(1_000);
    await away;
    await cluster.kill(nodes[3]!);
    await cluster.clock.advance(12_000);
    expect(nodes[0]!.membership.members().find(({ name }) => name === 'n4')).toMatchObject({
      status: 'alive',
      condition: 'away',
    });
    await cluster.until('n4 is dead', () => nodes[0]!.sees()['n4'] === 'dead', 15_000);
  });

  test('datagrams alone cut: streams keep the member alive, and both planes say what they find', async () => {
    const { cluster, nodes } = await five();
    const [n1, n2] = nodes as [ClusterNode, ClusterNode];
    for (const other of nodes) {
      if (other === n2) continue;
      cluster.datagrams.cut(other.place, n2.place);
      cluster.datagrams.cut(n2.place, other.place);
    }
    await cluster.clock.advance(60_000);
    expect(n1.sees()['n2']).toBe('alive');
    const looked = n1.membership.look();
    await cluster.clock.settle();
    const view = (await looked).find(({ name }) => name === 'n2')!;
    expect(view.planes.datagram.failingSince).toBeGreaterThan(cluster.clock.now() - 60_000);
    expect(view.planes.stream.failingSince).toBeUndefined();
    expect(view.planes.stream.heardAt).toBeGreaterThan(cluster.clock.now() - 10_000);
  });

  test('a way that is cut between two of them: each says since when others alone find the other', async () => {
    const { cluster, nodes } = await five();
    const [n1, n2] = nodes as [ClusterNode, ClusterNode];
    const datagrams = async () => {
      const looked = n1.membership.look();
      await cluster.clock.settle();
      return (await looked).find(({ name }) => name === 'n2')!.planes.datagram;
    };
    const cutAt = cluster.clock.now();
    cluster.datagrams.cut(n1.place, n2.place);
    cluster.datagrams.cut(n2.place, n1.place);
    await cluster.clock.advance(20_000);
    expect(n1.sees()['n2']).toBe('alive');
    expect((await datagrams()).failingSince).toBeUndefined();
    expect((await datagrams()).indirectSince).toBeGreaterThanOrEqual(cutAt);
    cluster.datagrams.mendAll();
    await cluster.clock.advance(20_000);
    expect((await datagrams()).indirectSince).toBeUndefined();
  });
});

test('two processes under one identity: the journal of one was lost, so it raises its boot and is heard', async () => {
  const { cluster, nodes } = await five();
  await cluster.kill(nodes[1]!);
  const late = await cluster.start('2', { boot: 7 });
  await cluster.until(
    'n2 is back',
    () =>
      nodes[0]!.membership.members().some(({ name, incarnation }) => name === 'n2' && incarnation.boot === 7),
    10_000,
  );
  await cluster.kill(late);
  const lost = await cluster.start('2', { boot: 1 });
  const all = nodes.map((node, at) => (at === 1 ? lost : node));
  await cluster.until('n2 is back again', () => agree(all), 20_000);
  expect(nodes[0]!.membership.members().find(({ name }) => name === 'n2')?.incarnation.boot).toBeGreaterThan(
    7,
  );
  expect(told(lost, 'boot.raised')).toEqual(['n2']);
  // Who listens only now hears of it too.
  const boots: number[] = [];
  lost.membership.onBoot((boot) => boots.push(boot));
  expect(boots).toEqual([8]);
});

test('a boot that is counted twice under an earlier clock: what it sends looks replayed, until a peer says how far it had come', async () => {
  const { cluster, nodes } = await five();
  await cluster.clock.advance(10_000);
  await cluster.kill(nodes[1]!);
  // Counters begin anew here, as after a clock that was set back.
  const lost = await cluster.start('2', { boot: 1 });
  await cluster.until('its boot is raised', () => told(lost, 'boot.raised').length > 0, 10_000);
  const all = nodes.map((node, at) => (at === 1 ? lost : node));
  await cluster.until('all see all', () => agree(all), 10_000);
  expect(nodes.flatMap(({ changes }) => changes.map(({ what }) => what))).not.toContain('died');
});

test('the first node comes back sooner than it had said, and knows nobody: the others knock', async () => {
  const { cluster, nodes } = await five();
  void nodes[0]!.membership.away(30_000);
  await cluster.clock.advance(2_000);
  await cluster.kill(nodes[0]!);
  const back = await cluster.start('1', { boot: 2 });
  await cluster.until('all see all', () => agree([back, ...nodes.slice(1)]), 5_000);
});

test('a connection that is there anyway shows its plane: nobody is asked over it', async () => {
  const { cluster, nodes } = await five();
  const [n1, n2] = nodes as [ClusterNode, ClusterNode];
  const stop = n1.calls.keep({ id: n2.id, address: { host: '10.0.0.2', port: 4_484 } });
  await cluster.clock.advance(120_000);
  const looked = n1.membership.look();
  await cluster.clock.settle();
  const { stream } = (await looked).find(({ name }) => name === 'n2')!.planes;
  expect(stream.heardAt).toBeGreaterThan(cluster.clock.now() - limits.peerQuietMs);
  expect(stream.rttMs).toBeGreaterThan(0);
  const asked = n1.frames
    .flatMap((frame) => ('effects' in frame ? frame.effects : []))
    .filter((effect) => effect.do === 'drive' && effect.call.op === 'ask');
  expect(asked.map((effect) => effect.do === 'drive' && effect.id)).not.toContain(n2.id);
  stop();
});

test('who finds others says so, who loses the last of them too, and who finds nobody where it should look', async () => {
  const cluster = memberCluster();
  const n2 = await cluster.start('2');
  await cluster.clock.advance(15_000);
  const failed = n2.events.find(({ type }) => type === 'seeds.failed');
  expect(failed?.reason).toMatchObject({ code: 'HM-MEMBERSHIP-SEEDS', evidence: { seeds: '10.0.0.1:4484' } });
  const n1 = await cluster.start('1');
  await cluster.until('both see both', () => agree([n1, n2]), 10_000);
  await cluster.clock.advance(100);
  await cluster.kill(n1);
  await cluster.until('n1 is dead', () => n2.sees()['n1'] === 'dead', 10_000);
  await cluster.clock.advance(100);
  const said = n2.events.map(({ type }) => type).filter((type) => type.startsWith('membership.'));
  expect(said).toEqual(['membership.joined', 'membership.lost']);
});

test('two processes that run under one identity outdo each other a few times, and then say so', async () => {
  const { cluster, nodes } = await five();
  const twin = await cluster.start('2', { host: '10.0.3.2', boot: 2 });
  const pair = [nodes[1]!, twin];
  await cluster.until(
    'one says so',
    () => pair.some((node) => told(node, 'membership.doubled').length > 0),
    120_000,
  );
  const doubled = pair.flatMap(({ events }) => events.filter(({ type }) => type === 'membership.doubled'));
  expect(doubled[0]).toMatchObject({ level: 'error', reason: { code: 'HM-MEMBERSHIP-DOUBLED' } });
});

test('packets are counted by their kind, and what changes nothing by why', async () => {
  const { cluster, nodes } = await five();
  const traffic = async (at: number) => {
    const asked = nodes[at]!.membership.traffic();
    await cluster.clock.settle();
    return asked;
  };
  await cluster.clock.advance(10_000);
  const { kinds, sentBytes, receivedBytes, refused } = await traffic(0);
  expect(Object.keys(kinds)).toEqual(['ping', 'ack', 'nack', 'ping-request', 'gossip']);
  expect(kinds['ping']!.sent).toBeGreaterThan(5);
  // Nothing is lost, and it is quiet: each probe is answered.
  expect(kinds['ack']!.received).toBe(kinds['ping']!.sent);
  expect(kinds['ack']!.sent).toBe(kinds['ping']!.received);
  expect(kinds['ping-request']).toEqual({ sent: 0, received: 0 });
  expect([sentBytes > 1_000, receivedBytes > 1_000]).toEqual([true, true]);
  expect(Object.values(refused).every((count) => count === 0)).toBe(true);
  nodes[1]!.membership.rotate([new Uint8Array(32).fill(9)]);
  await cluster.clock.advance(1_000);
  expect((await traffic(0)).refused['unknown-key']).toBeGreaterThan(0);
});

test('a wrong gossip key changes nothing, and a rotation loses nobody', async () => {
  const { cluster, nodes } = await five();
  const [old, next] = [new Uint8Array(32).fill(7), new Uint8Array(32).fill(8)];
  for (const step of [[old, next], [next, old], [next]] as const) {
    for (const { membership } of nodes) membership.rotate(step as never);
    await cluster.clock.advance(5_000);
  }
  expect(agree(nodes)).toBe(true);
  expect(nodes.flatMap(({ changes }) => changes.map(({ what }) => what))).not.toContain('suspected');
});

describe('a main thread that hangs', () => {
  const sees = (node: ClusterNode, name: string) =>
    node.membership.members().find((view) => view.name === name)!;

  test('for 2 s: nobody hears of it', async () => {
    const { cluster, nodes } = await five();
    nodes[1]!.hang(2_000);
    await cluster.clock.advance(10_000);
    expect(agree(nodes)).toBe(true);
    expect(
      nodes.flatMap(({ changes }) => changes.map(({ what }) => what)).filter((what) => what !== 'joined'),
    ).toEqual([]);
  });

  test('for 5 s and more is stalled for all, and ready again when it turns; nobody suspects it', async () => {
    const { cluster, nodes } = await five();
    nodes[1]!.hang(20_000);
    await cluster.clock.advance(7_000);
    for (const node of nodes)
      expect(sees(node, 'n2')).toMatchObject({ condition: 'stalled', status: 'alive' });
    await cluster.clock.advance(15_000);
    for (const node of nodes) expect(sees(node, 'n2')).toMatchObject({ condition: 'ready', status: 'alive' });
    expect(told(nodes[0]!, 'member.described')).toEqual(['n2', 'n2']);
    expect(told(nodes[0]!, 'member.suspected')).toEqual([]);
  });

  test('for 30 s is silent, so it is dead to the others; when it turns it is back and has accused nobody', async () => {
    const { cluster, nodes } = await five();
    nodes[1]!.hang(60_000);
    await cluster.clock.advance(29_000);
    expect(sees(nodes[0]!, 'n2').status).toBe('alive');
    await cluster.until('n2 is dead', () => sees(nodes[0]!, 'n2').status === 'dead', 10_000);
    await cluster.clock.advance(60_000);
    expect(agree(nodes)).toBe(true);
    for (const node of nodes) expect(told(node, 'member.suspected')).toEqual(node === nodes[1] ? [] : ['n2']);
  });
});
