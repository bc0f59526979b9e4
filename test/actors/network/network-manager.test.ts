/** A node's blocks and addresses, on a simulated machine: growth in time, claims that wait, and whatever may come between. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { containerId } from '../../../protocols/containers/ids.ts';
import { limits } from '../../../protocols/limits.ts';
import { reason } from '../../../protocols/errors.ts';
import { soundStore } from '../../../runtime/world/simulated/faulty-store.ts';
import { soundDisk } from '../../../runtime/world/simulated/virtual-disk.ts';
import { NetworkRig } from './network-rig.ts';

const slots = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `shop/web.${from + n}`);
const first = '10.42.0.0/26';
const second = '10.42.0.64/26';
const third = '10.42.0.128/26';
/** All calls of an attempt that time out, one after the other. */
const attemptMs = 3 * limits.runtimeCallMs + limits.writeMs;

describe('a network manager', () => {
  let rig: NetworkRig;
  const started = async (pool = '10.42.0.0/24'): Promise<void> => {
    rig = new NetworkRig(1, pool);
    await rig.start();
  };
  const claimed = async (...names: string[]): Promise<void> => {
    rig.claim(...names);
    await rig.pass(1_000);
    expect(names.filter((slot) => rig.address(slot) === undefined)).toEqual([]);
  };
  afterEach(() => {
    rig.close();
    expect(rig.problems).toEqual([]);
  });

  it('serves 150 claims at once from as many blocks as it takes, under one name server', async () => {
    await started();
    await claimed(...slots(0, 150));
    expect(rig.blocks()).toEqual([first, second, third]);
    expect(rig.keptBlocks()).toEqual([first, second, third]);
    expect(await rig.rows()).toEqual({ n1: [first, third, second].sort() });
    expect(new Set(rig.owners.values()).size).toBe(150);
    for (const answer of rig.answers.values()) expect(answer).toMatchObject({ gateway: '10.42.0.1' });
    expect(rig.events.map(({ type, message }) => `${type}: ${message}`)).toEqual([
      `network.grown: ${first} is this node's`,
      `network.grown: ${second} is this node's`,
      `network.grown: ${third} is this node's`,
    ]);
  });

  it('claims a further block in time, and not before', async () => {
    await started();
    await claimed(...slots(0, 61 - limits.addressReserve));
    expect(rig.blocks()).toEqual([first]);
    await claimed(...slots(61 - limits.addressReserve, 1));
    expect(rig.blocks()).toEqual([first, second]);
    expect(rig.address('shop/web.53')).toBe('10.42.0.55');
  });

  it('gives freed addresses out again before it claims a block', async () => {
    await started();
    for (let round = 0; round < 5; round++) {
      const names = slots(100 * round, 50);
      await claimed(...names);
      await rig.release(...names);
    }
    expect(rig.blocks()).toEqual([first]);
    await rig.pass(100);
    await claimed(...slots(0, 53));
    expect(rig.blocks()).toEqual([first]);
  });

  it('refuses with a reason when the pool has no block, and goes on when an address or a block is free', async () => {
    await started('10.42.0.0/25');
    rig.claim(...slots(0, 130));
    await rig.pass(1_000);
    const refused = slots(0, 130).filter((slot) => rig.refusal(slot) === 'HM-NETWORK-ADDRESS');
    expect(refused).toEqual(slots(122, 8));
    expect(rig.owners.size).toBe(122);
    await rig.pass(3 * limits.reconcileMs);
    expect(rig.events.filter(({ type }) => type === 'network.short')).toHaveLength(1);
    const [freed] = slots(7, 1);
    const address = rig.address(freed!);
    await rig.release(freed!);
    await claimed('shop/web.122');
    expect(rig.address('shop/web.122')).toBe(address);
  });

  it("leaves other nodes' blocks alone, and looks again when one of them was faster", async () => {
    rig = new NetworkRig(1, '10.42.0.0/24');
    await rig.putRow('n2', first);
    let claims = 0;
    rig.onCall = ({ port, op }) => {
      if (port === 'store' && op === 'txn' && ++claims === 1) void rig.putRow('n3', second);
    };
    await rig.start();
    await claimed('shop/web.0');
    expect(claims).toBe(2);
    expect(rig.address('shop/web.0')).toBe('10.42.0.130');
    expect(await rig.rows()).toEqual({ n1: [third], n2: [first], n3: [second] });
  });

  it('takes a block over that is its own although the journal does not know it', async () => {
    await started();
    await rig.putRow('n1', '10.42.0.192/26');
    await claimed(...slots(0, 70));
    expect(rig.blocks()).toEqual([first, '10.42.0.192/26']);
    expect(rig.address('shop/web.69')).toBe('10.42.0.202');
  });

  it('asks for no block of a store that is not followed, and says so to who waits', async () => {
    await started();
    await claimed(...slots(0, 50));
    rig.tell({ type: 'store.doubted', reason: reason('HM-STORE-FOREIGN') });
    rig.claim(...slots(50, 15));
    await rig.pass(1_000);
    expect(slots(50, 15).filter((slot) => rig.refusal(slot) === 'HM-STORE-FOREIGN')).toEqual(slots(61, 4));
    await rig.pass(limits.reconcileMs);
    expect(await rig.rows()).toEqual({ n1: [first] });
    rig.tell({ type: 'store.trusted' });
    await rig.pass(1_000);
    await claimed(...slots(61, 4));
    expect(rig.blocks()).toEqual([first, second]);
  });

  it.each(['down', 'silent'] as const)(
    'answers who waits also when the store is %s, and serves when it is back',
    async (reach) => {
      await started();
      rig.world.first.store.faults = { ...soundStore, reach };
      rig.claim(...slots(0, 70));
      await rig.pass(attemptMs);
      expect(rig.owners.size).toBe(61);
      for (const slot of slots(61, 9)) expect(rig.refusal(slot)).toMatch(/^HM-(STORE|RUNTIME)-/);
      rig.world.first.store.faults = soundStore;
      await rig.pass(attemptMs);
      await claimed(...slots(61, 9));
      expect(rig.blocks()).toEqual([first, second]);
    },
  );

  it('waits for no address of a block that the bridge does not have', async () => {
    await started();
    const { network } = rig.world.first;
    const { ensureNode } = network;
    let broken = true;
    network.ensureNode = (node, call) =>
      broken && node.blocks.length > 1
        ? Promise.reject(new Error('the kernel refuses'))
        : ensureNode(node, call);
    rig.claim(...slots(0, 65));
    await rig.pass(5_000);
    expect(slots(0, 65).filter((slot) => rig.refusal(slot))).toEqual(slots(61, 4));
    broken = false;
    await rig.pass(limits.retryMs);
    await claimed(...slots(61, 4));
  });

  it('forgets why a claim failed when addresses were freed meanwhile', async () => {
    await started();
    await claimed(...slots(0, 11));
    rig.world.first.store.faults = { ...soundStore, reach: 'down' };
    rig.claim(...slots(11, 43));
    // The claim of a block is under way, and will fail: by then there are addresses enough again.
    await rig.release('shop/web.0');
    await rig.pass(attemptMs);
    rig.world.first.store.faults = soundStore;
    rig.claim(...slots(0, 150));
    await rig.pass(limits.retryMs);
    expect(slots(0, 150).filter((slot) => rig.address(slot) === undefined)).toEqual([]);
  });

  it('knows blocks and addresses after a restart, also while the store is silent', async () => {
    await started();
    await claimed(...slots(0, 100));
    const before = new Map(rig.owners);
    rig.world.first.network.lose();
    rig.world.first.store.faults = { ...soundStore, reach: 'silent' };
    await rig.restart();
    expect(rig.blocks()).toEqual([first, second]);
    await claimed(...slots(0, 102));
    for (const [slot, address] of before) expect(rig.address(slot)).toBe(address);
  });
});

describe("links that the journal does not know of, or knows as another slot's", () => {
  const link = (slot: string, address: string) => ({
    id: containerId({ slot, placement: 1, run: 1, attempt: 1 }),
    ...{ pid: 1, address, networks: [] },
  });
  let rig: NetworkRig;
  afterEach(() => {
    rig.close();
    expect(rig.problems).toEqual([]);
  });
  const cut = async (...links: ReturnType<typeof link>[]) => {
    rig = new NetworkRig(1, '10.42.0.0/26');
    for (const one of links) rig.world.first.network.attachments.set(one.id, one);
    await rig.start();
  };
  const ask = async (...names: string[]) => {
    rig.claim(...names);
    await rig.pass(1_000);
    return names.map((slot) => rig.address(slot));
  };

  it('keep their addresses, and hand them to their own slots', async () => {
    await cut(link('shop/db.1', '10.42.0.2'), link('shop/web.1', '10.42.0.4'));
    expect(await ask('shop/new.1', 'shop/web.1', 'shop/new.2')).toEqual([
      '10.42.0.5',
      '10.42.0.4',
      '10.42.0.6',
    ]);
  });

  it('keep them from another run of their slot: the slot may have forgotten one that still runs', async () => {
    await cut(link('shop/web.1', '10.42.0.4'));
    rig.claimFor('shop/web.1', 2);
    await rig.pass(1_000);
    expect(rig.address('shop/web.1')).toBe('10.42.0.5');
  });

  it('go before what an older journal says', async () => {
    await cut();
    expect(await ask('shop/web.1')).toEqual(['10.42.0.2']);
    const other = link('shop/db.1', '10.42.0.2');
    rig.world.first.network.attachments.set(other.id, other);
    rig.owners.clear();
    await rig.restart();
    expect(await ask('shop/web.1', 'shop/db.1')).toEqual(['10.42.0.3', '10.42.0.2']);
  });

  it('keep them while they stand, also when their slot is gone, and no longer', async () => {
    const one = link('shop/web.1', '10.42.0.2');
    await cut(one);
    expect(await ask('shop/web.1')).toEqual(['10.42.0.2']);
    await rig.release('shop/web.1');
    const all = Array.from({ length: 60 }, (_, n) => `shop/more.${n}`);
    expect(await ask(...all)).not.toContain('10.42.0.2');
    rig.world.first.network.attachments.delete(one.id);
    await rig.pass(2 * limits.reconcileMs);
    expect(await ask('shop/last.1')).toEqual(['10.42.0.2']);
  });
});

const count = fc.integer({ min: 1, max: 50 });
const from = fc.integer({ min: 0, max: 160 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('claim' as const), from, count }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('release' as const), from, count }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 20_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('restart' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('store' as const),
      reach: fc.constantFrom('up' as const, 'down' as const, 'silent' as const),
      lostAnswers: fc.constantFrom(0, 0, 0.5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('disk' as const), full: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('doubt' as const), doubted: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('other' as const), block: fc.integer({ min: 0, max: 3 }) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer Of> ? Of : never;

async function take(rig: NetworkRig, one: Step): Promise<void> {
  const { world } = rig;
  switch (one.op) {
    case 'claim':
      return rig.claim(...slots(one.from, one.count));
    case 'release':
      return rig.release(...slots(one.from, one.count));
    case 'pass':
      return rig.pass(one.ms);
    case 'restart':
      // A journal that cannot be opened is the daemon's business.
      world.first.disk.faults = soundDisk;
      return rig.restart();
    case 'store':
      world.first.store.faults = { ...soundStore, reach: one.reach, lostAnswers: one.lostAnswers };
      return;
    case 'disk':
      world.first.disk.faults = { ...soundDisk, full: one.full };
      return;
    case 'doubt':
      return rig.tell(
        one.doubted ? { type: 'store.doubted', reason: reason('HM-STORE-DOWN') } : { type: 'store.trusted' },
      );
    case 'other':
      return rig.putRow('n2', `10.42.0.${64 * one.block}/26`);
  }
}

describe('whatever happens', () => {
  it('every address has one owner, is in the journal and in a block of the node; then everybody gets one (N1, N2)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 30 }), async (seed, steps) => {
        const rig = new NetworkRig(seed, '10.42.0.0/24');
        try {
          await rig.start();
          for (const one of steps) await take(rig, one);
          rig.world.first.store.faults = soundStore;
          rig.world.first.disk.faults = soundDisk;
          rig.tell({ type: 'store.trusted' });
          await rig.pass(attemptMs + 2 * limits.reconcileMs);
          const rows = await rig.rows();
          const wanted = 61 * (4 - (rows['n2']?.length ?? 0));
          const all = slots(0, 210);
          await rig.release(...all.slice(wanted));
          await rig.pass(1_000);
          rig.claim(...all.slice(0, wanted));
          await rig.pass(5_000);
          expect(all.slice(0, wanted).filter((slot) => rig.address(slot) === undefined)).toEqual([]);
          expect([...rig.blocks()].sort()).toEqual(
            rig.blocks().length > 0 ? ((await rig.rows())['n1'] ?? []) : [],
          );
          expect(rig.problems).toEqual([]);
        } finally {
          rig.close();
        }
      }),
      { numRuns: 60 },
    );
  });
});
