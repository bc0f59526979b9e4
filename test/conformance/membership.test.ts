/** The port of membership under one suite: its subtree in the same process in virtual time, and in a thread with UDP. */
import { afterEach, describe, expect, test } from 'vitest';
import type { NodeEvent } from '../../protocols/effects.ts';
import type { ActorView } from '../../protocols/inspection.ts';
import type { MemberAddress } from '../../protocols/membership/model.ts';
import type { Membership } from '../../protocols/membership/views/port.ts';
import type {
  GossipKeys,
  HeardDigest,
  MemberChange,
  MemberView,
} from '../../protocols/membership/views/view.ts';
import { gossipKey, memberCluster } from '../kit/cluster/members.ts';
import { threadCluster } from '../kit/cluster/threads.ts';
import { until } from '../kit/until.ts';

interface Party {
  readonly id: string;
  readonly address: MemberAddress;
  readonly membership: Membership;
  readonly changes: readonly MemberChange[];
  readonly events: readonly NodeEvent[];
  credential(): Uint8Array;
  readonly authorities: readonly Uint8Array[];
  /** Its process is gone. */
  kill(): Promise<void>;
}

interface Arm {
  start(digit: string, seeds: readonly Party[]): Promise<Party>;
  /** Lets time pass until it holds. */
  settle(what: string, holds: () => boolean): Promise<void>;
  /** What it answers, with as much time as that takes. */
  answer<Value>(promise: Promise<Value>): Promise<Value>;
}

function inProcess(): Arm {
  const cluster = memberCluster();
  return {
    start: async (digit, seeds) => {
      const node = await cluster.start(digit, {
        seeds: seeds.map(({ address }) => address.host.split('.').at(-1)!),
      });
      return {
        ...node,
        address: { host: `10.0.0.${digit}`, port: 4_484 },
        credential: () => new Uint8Array(1),
        authorities: [],
        kill: () => cluster.kill(node),
      };
    },
    settle: async (what, holds) => void (await cluster.until(what, holds, 30_000)),
    answer: async (promise) => {
      let done = false;
      const ended = (): void => void (done = true);
      promise.then(ended, ended);
      while (!done) await cluster.clock.advance(50);
      return promise;
    },
  };
}

function inThreads(): Arm {
  const cluster = threadCluster();
  return {
    start: async (digit, seeds) => {
      const node = await cluster.start(`n${digit}`, { seeds: seeds.map(({ address }) => address) });
      return { ...node, kill: () => node.close() };
    },
    settle: async (what, holds) => void (await until(what, holds)),
    answer: (promise) => promise,
  };
}

describe.each([
  ['in the same process', inProcess],
  ['in a thread of its own', inThreads],
] as const)('membership %s', (_, make) => {
  const opened: Party[] = [];
  afterEach(async () => {
    for (const party of opened.splice(0)) await party.kill();
  });

  async function two() {
    const arm = make();
    const n1 = await arm.start('1', []);
    const n2 = await arm.start('2', [n1]);
    opened.push(n1, n2);
    const sees = ({ membership }: Party, name: string) =>
      membership.members().find((view) => view.name === name);
    await arm.settle('both see each other', () => [n1, n2].every((party) => party.changes.length > 0));
    return { arm, n1, n2, sees };
  }

  test('shows this node first, then who joined, by name, address and id', async () => {
    const { n1, n2 } = await two();
    expect(n1.membership.members()).toMatchObject([
      { name: 'n1', self: true, status: 'alive', condition: 'ready', id: n1.id, suspectedBy: [] },
      { name: 'n2', self: false, status: 'alive', condition: 'ready', id: n2.id, address: n2.address },
    ]);
    expect(n1.changes.map(({ what, before }) => [what, before])).toEqual([['joined', undefined]]);
  });

  test('looks at both planes, and at times that are those of the wall', async () => {
    const { arm, n1 } = await two();
    let view: MemberView | undefined;
    await arm.settle('a datagram was answered', () => {
      void n1.membership.look().then((views) => (view = views.find(({ name }) => name === 'n2')));
      return view?.planes.datagram.rttMs !== undefined;
    });
    const { since, planes } = view!;
    expect(planes.datagram.rttMs).toBeGreaterThanOrEqual(0);
    expect(Math.abs(planes.datagram.heardAt! - since)).toBeLessThan(120_000);
  });

  test('passes on what this node says of itself', async () => {
    const { arm, n1, n2, sees } = await two();
    n2.membership.describe({ zone: 'cellar' });
    await arm.settle('n1 heard of it', () => sees(n1, 'n2')?.zone === 'cellar');
    expect(n1.changes.at(-1)).toMatchObject({ what: 'described', before: 'alive' });
    expect(sees(n2, 'n2')?.zone).toBe('cellar');
  });

  test('carries digests of records to the others, with whoever has them', async () => {
    const { arm, n1, n2 } = await two();
    const heard: HeardDigest[] = [];
    const stop = n1.membership.onDigest((one) => heard.push(one));
    const digest = { id: n2.id, boot: 1, sequence: 3, hash: '0123456789abcdef' };
    n2.membership.tellDigest(digest);
    await arm.settle('n1 heard it', () => heard.length > 0);
    expect(heard[0]).toEqual({ digest, from: n2.id, address: n2.address });
    stop();
    n2.membership.tellDigest({ ...digest, sequence: 4 });
    const later: HeardDigest[] = [];
    n1.membership.onDigest((one) => later.push(one));
    await arm.settle('n1 heard the next', () => later.length > 0);
    expect(heard).toHaveLength(1);
  });

  test('says that it is away, and that it leaves', async () => {
    const { arm, n1, n2, sees } = await two();
    await arm.answer(n2.membership.away(20_000));
    await arm.settle('n1 heard that it is away', () => sees(n1, 'n2')?.condition === 'away');
    await arm.answer(n2.membership.leave());
    await arm.settle('n1 heard that it left', () => sees(n1, 'n2')?.status === 'left');
    await arm.settle('its actor told', () => n1.events.some(({ type }) => type === 'member.left'));
    expect(n1.changes.map(({ what }) => what)).not.toContain('suspected');
  });

  test('tells of one that is gone: suspected, with who says so, then dead', async () => {
    const { arm, n1, n2, sees } = await two();
    await n2.kill();
    opened.splice(opened.indexOf(n2), 1);
    await arm.settle('n2 is dead', () => sees(n1, 'n2')?.status === 'dead');
    expect(n1.changes.map(({ what }) => what)).toEqual(['joined', 'suspected', 'died']);
    expect(n1.changes[1]!.member.suspectedBy).toMatchObject([{ id: n1.id, name: 'n1' }]);
    await arm.settle('its actor told', () => n1.events.some(({ type }) => type === 'member.died'));
    const died = n1.events.find(({ type }) => type === 'member.died')!;
    expect(died).toMatchObject({ subject: 'n2', level: 'error', reason: { code: 'HM-MEMBER-DEAD' } });
  });

  test('exchanges keys and credentials without losing anybody', async () => {
    const { arm, n1, n2, sees } = await two();
    const before = sees(n1, 'n2')!.incarnation.counter;
    const [old, next] = [gossipKey(7), gossipKey(9)];
    const rings: GossipKeys[] = [[old, next], [next, old], [next]];
    for (const keys of rings) for (const { membership } of [n1, n2]) membership.rotate(keys);
    n2.membership.renew({ credential: n2.credential(), authorities: n2.authorities });
    await arm.settle('n2 spoke under the new one', () => (sees(n1, 'n2')?.incarnation.counter ?? 0) > before);
    expect(sees(n1, 'n2')?.status).toBe('alive');
    expect(() => n1.membership.rotate([new Uint8Array(3)])).toThrow(/32 bytes/);
  });

  test('shows its actors', async () => {
    const { arm, n1 } = await two();
    let member: ActorView | undefined;
    await arm.settle('the actor of n2 is alive', () => {
      void n1.membership.actors.tree().then((tree) => {
        member = tree.find(({ machine, phase }) => machine === 'member' && phase === 'alive');
      });
      return member !== undefined;
    });
    const { path } = member!;
    expect(path).toMatch(/^\/membership\/members\/n2\./);
    expect(await arm.answer(n1.membership.actors.show(path))).toMatchObject({
      context: { view: { name: 'n2' } },
    });
    expect(await arm.answer(n1.membership.actors.show('/nobody'))).toBeUndefined();
    const lines = await arm.answer(n1.membership.actors.transcript({ under: '/membership', limit: 10 }));
    expect(lines.length).toBeGreaterThan(0);
  });

  test('a listener that comes late hears the events from the start', async () => {
    const { arm, n1 } = await two();
    await arm.settle('joined was told', () => n1.events.some(({ type }) => type === 'member.joined'));
    expect(n1.events[0]).toMatchObject({ type: expect.stringMatching(/^member/) });
  });
});
