/** Whatever happens to four nodes: when it is over they agree, and what each was told on the way makes sense. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MemberStatus } from '../../../protocols/membership/model.ts';
import { agree, memberCluster, type ClusterNode, type MemberCluster } from '../../kit/cluster/members.ts';

type Deed =
  | { readonly do: 'kill' | 'restart' | 'leave' | 'move'; readonly who: number }
  | { readonly do: 'cut'; readonly who: number; readonly from: number; readonly oneWay: boolean }
  | { readonly do: 'hang'; readonly who: number; readonly ms: number }
  | { readonly do: 'heal' };

const who = fc.integer({ min: 0, max: 3 });
const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({ do: fc.constantFrom('kill', 'restart', 'restart', 'leave', 'move'), who }),
  fc.record({ do: fc.constant('cut' as const), who, from: who, oneWay: fc.boolean() }),
  fc.record({ do: fc.constant('hang' as const), who, ms: fc.integer({ min: 500, max: 45_000 }) }),
  fc.constant({ do: 'heal' as const }),
);
const plan = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  loss: fc.constantFrom(0, 0.1, 0.3),
  deeds: fc.array(fc.record({ deed, thenMs: fc.integer({ min: 0, max: 15_000 }) }), {
    minLength: 1,
    maxLength: 12,
  }),
});

/** Nodes by place, up or down, with every life that ever was. */
class Town {
  readonly cluster: MemberCluster;
  readonly up: (ClusterNode | undefined)[] = [undefined, undefined, undefined, undefined];
  readonly lives: ClusterNode[] = [];
  readonly #boots = [0, 0, 0, 0];
  readonly #hosts = [0, 1, 2, 3].map((at) => `10.0.0.${at + 1}`);

  constructor(seed: number) {
    this.cluster = memberCluster(seed);
  }

  async restart(at: number): Promise<void> {
    await this.kill(at);
    const boot = (this.#boots[at]! += 1);
    const host = this.#hosts[at]!;
    const node = await this.cluster.start(String(at + 1), { boot, host, seeds: ['1', '2', '3', '4'] });
    this.up[at] = node;
    this.lives.push(node);
  }

  async kill(at: number): Promise<void> {
    const node = this.up[at];
    this.up[at] = undefined;
    if (node) await this.cluster.kill(node);
  }

  async take(one: Deed): Promise<void> {
    if (one.do === 'heal') return this.cluster.heal();
    const node = this.up[one.who];
    if (one.do === 'restart') return this.restart(one.who);
    if (!node) return;
    if (one.do === 'kill') return this.kill(one.who);
    if (one.do === 'hang') return node.hang(one.ms);
    if (one.do === 'move') {
      this.#hosts[one.who] = `10.0.${this.lives.length}.${one.who + 1}`;
      return this.restart(one.who);
    }
    if (one.do === 'cut') {
      const other = this.up[one.from];
      if (other && other !== node) this.cluster.cut(other, node, one.oneWay);
      return;
    }
    const left = node.membership.leave();
    await this.cluster.clock.advance(2_000);
    // A node that hangs, or is alone, may not get to say it.
    await Promise.race([left.catch(() => {}), this.cluster.clock.settle()]);
    return this.kill(one.who);
  }
}

/** In each node's own order: a change starts from what the one before ended with, and boots only grow. */
function assertSense({ changes, digit }: ClusterNode): void {
  const last = new Map<string, { status: MemberStatus; boot: number }>();
  for (const { what, before, member } of changes) {
    const { id, status, incarnation } = member;
    const known = last.get(id);
    expect([digit, what, before]).toEqual([digit, what, known?.status]);
    if (what === 'joined') expect(known).toBeUndefined();
    if (what === 'restarted') expect(incarnation.boot).toBeGreaterThan(known!.boot);
    if (what === 'recovered')
      expect([status, known!.status]).toEqual(['alive', expect.not.stringMatching(/alive|left/)]);
    if (known) expect(incarnation.boot).toBeGreaterThanOrEqual(known.boot);
    if (known?.status === 'left') expect(incarnation.boot > known.boot || status === 'left').toBe(true);
    last.set(id, { status, boot: incarnation.boot });
  }
}

/** Actors stand where the core does, and the event log tells the same as the changes, nothing twice. */
async function assertTold(node: ClusterNode, cluster: MemberCluster): Promise<void> {
  const asked = node.membership.actors.tree();
  await cluster.clock.settle();
  const phases = (await asked).filter(({ machine }) => machine === 'member').map(({ phase }) => phase);
  const statuses = node.membership
    .members()
    .filter(({ self }) => !self)
    .map(({ status }) => status);
  expect(phases.sort()).toEqual(statuses.sort());
  // Who was first heard of as sick or gone may have become the one from the other before its actor stood.
  const met = new Map(node.changes.map(({ member, what }) => [member.id, what] as const).reverse());
  for (const [id, first] of met) {
    if (first !== 'joined') continue;
    const changed = node.changes.filter(({ member }) => member.id === id).map(({ what }) => `member.${what}`);
    const told = node.events.filter(({ details }) => details?.['id'] === id).map(({ type }) => type);
    const worth = (type: string): boolean => type !== 'member.described';
    expect(told.filter(worth)).toEqual(changed.filter(worth));
  }
}

test('after everything is healed and up, all see all; each was told what happened, in order', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ seed, loss, deeds }) => {
      const town = new Town(seed);
      const { cluster } = town;
      for (let at = 0; at < 4; at += 1) await town.restart(at);
      await cluster.clock.advance(5_000);
      cluster.datagrams.faults = { ...cluster.datagrams.faults, loss };
      for (const { deed: one, thenMs } of deeds) {
        await town.take(one);
        await cluster.clock.advance(thenMs);
      }
      cluster.heal();
      cluster.datagrams.faults = { ...cluster.datagrams.faults, loss: 0 };
      for (let at = 0; at < 4; at += 1) if (!town.up[at]) await town.restart(at);
      const nodes = town.up as ClusterNode[];
      await cluster.until('all see all', () => agree(nodes), 90_000);
      await cluster.clock.advance(5_000);
      for (const node of town.lives) assertSense(node);
      for (const node of nodes) await assertTold(node, cluster);
      for (const node of nodes) await cluster.kill(node);
    }),
    { numRuns: 12, endOnFailure: true },
  );
}, 300_000);
