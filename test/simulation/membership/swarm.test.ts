/** What must always hold of membership (M1–M8), over many members and bad networks; every run follows from its seed. */
import { describe, expect, test } from 'vitest';
import type { Member } from '../../../protocols/membership/model.ts';
import { packAccusation } from '../../../protocols/membership/claims/codec.ts';
import { compareIncarnations } from '../../../protocols/membership/claims/precedence.ts';
import { encodePacket } from '../../../protocols/membership/packets.ts';
import { idOf, Swarm, type Sighting } from '../../../runtime/simulation/membership/swarm.ts';
import { chanceFor } from '../../../runtime/world/simulated/chance.ts';
import { calm } from '../../../transport/memory/datagrams.ts';

const lossy = { ...calm, loss: 0.1, meanMs: 1, duplicate: 0.02, replay: 0.02 };

function settled(seed: number, members: number, zones = 1): Swarm {
  const swarm = new Swarm({ seed, members, zones });
  expect(
    swarm.runUntil(() => swarm.agreed(), 20_000),
    'all found each other',
  ).toBeDefined();
  return swarm;
}

const sees = (swarm: Swarm, by: number, of: number): Member | undefined =>
  swarm
    .core(by)!
    .members()
    .find(({ id }) => id === idOf(of));

const everyoneSees = (swarm: Swarm, of: number, status: Member['status']): boolean =>
  swarm.up().every((by) => by === of || sees(swarm, by, of)?.status === status);

/** Each member stalls now and then for a second, for `minutes`. */
function stalls(swarm: Swarm, seed: number, minutes: number): void {
  const chance = chanceFor(seed, 'stalls');
  for (let at = 0; at < minutes * 60_000; at += 10_000) {
    for (let index = 0; index < swarm.size; index++) {
      if (chance.next() > 0.1) continue;
      swarm.clock.setTimer(chance.next() * 9_000, () => swarm.stall(index, 1_000));
    }
    swarm.run(10_000);
  }
}

describe.each([1, 2, 3])('seed %i', (seed) => {
  test('M1, M4: nobody alive is declared dead with 10 % loss and stalls of a second; incarnations only grow', () => {
    const swarm = settled(seed, 3 + seed * 2);
    const dead: Sighting[] = [];
    const newest = new Map<string, Member>();
    swarm.onSighting = (sighting) => {
      const { member, by } = sighting;
      if (member.status === 'dead') dead.push(sighting);
      const before = newest.get(`${by} ${member.id}`);
      if (before)
        expect(compareIncarnations(member.incarnation, before.incarnation)).toBeGreaterThanOrEqual(0);
      newest.set(`${by} ${member.id}`, member);
    };
    swarm.network.faults = lossy;
    stalls(swarm, seed, 10);
    expect(dead).toEqual([]);
    swarm.network.faults = calm;
    swarm.run(30_000);
    expect(swarm.agreed()).toBe(true);
  });

  test('M2, M6: a killed member is dead for everyone, also with loss, and stays dead until its next boot', () => {
    const swarm = settled(seed, 4 + seed * 2, 3);
    swarm.network.faults = lossy;
    swarm.run(seed * 321);
    swarm.kill(2);
    expect(swarm.runUntil(() => everyoneSees(swarm, 2, 'dead'), 15_000)).toBeDefined();
    swarm.onSighting = ({ member }) => expect([member.id, member.status]).not.toEqual([idOf(2), 'alive']);
    swarm.run(60_000);
    swarm.onSighting = () => {};
    swarm.start(2);
    expect(swarm.runUntil(() => swarm.agreed(), 10_000)).toBeDefined();
    expect(sees(swarm, 0, 2)?.incarnation.boot).toBe(2);
  });

  test('M3: halves of a cluster that held each other dead for minutes find together within 10 s', () => {
    const swarm = settled(seed, 8);
    const [some, others] = [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ];
    swarm.partition(some!, others!);
    swarm.run(seed * 60_000);
    expect(some!.every((by) => others!.every((of) => sees(swarm, by, of)?.status === 'dead'))).toBe(true);
    swarm.network.mendAll();
    expect(swarm.runUntil(() => swarm.agreed(), 10_000)).toBeDefined();
  });

  test('M1: who heard nobody for a while makes no others hold each other dead when it is back', () => {
    const swarm = settled(seed, 2 + seed * 2);
    const others = swarm.up().slice(1);
    swarm.network.faults = lossy;
    swarm.partition([0], others);
    swarm.run(seed * 20_000);
    expect(others.every((of) => sees(swarm, 0, of)?.status === 'dead')).toBe(true);
    const dead: Sighting[] = [];
    swarm.onSighting = (sighting) => {
      if (sighting.by !== 0 && sighting.member.status === 'dead') dead.push(sighting);
    };
    swarm.network.mendAll();
    expect(swarm.runUntil(() => swarm.agreed(), 10_000)).toBeDefined();
    swarm.run(30_000);
    expect(dead).toEqual([]);
  });

  test('a way cut in one direction only: nobody is lost whom others still reach', () => {
    const swarm = settled(seed, 7);
    const dead: Sighting[] = [];
    swarm.onSighting = (sighting) => {
      if (sighting.member.status === 'dead') dead.push(sighting);
    };
    swarm.partition([1], [2], true);
    swarm.run(120_000);
    expect(dead).toEqual([]);
    swarm.network.mendAll();
    expect(swarm.runUntil(() => swarm.agreed(), 10_000)).toBeDefined();
  });

  test('M5: who leaves has left for everyone at once, and for good in this boot', () => {
    const swarm = settled(seed, 9);
    swarm.network.faults = lossy;
    const statuses = new Set<string>();
    swarm.onSighting = ({ member }) => {
      if (member.id === idOf(5)) statuses.add(member.status);
    };
    swarm.tell(5, { kind: 'leave' });
    expect(swarm.runUntil(() => everyoneSees(swarm, 5, 'left'), 3_000)).toBeDefined();
    swarm.run(60_000);
    expect(swarm.core(5)).toBeUndefined();
    expect([...statuses]).toEqual(['left']);
    swarm.start(5);
    expect(swarm.runUntil(() => swarm.agreed(), 10_000)).toBeDefined();
  });

  test('M7, M8: no packet is too long, and after quiet only probes are sent', () => {
    const swarm = settled(seed, 20);
    swarm.kill(3);
    swarm.kill(4);
    swarm.network.faults = lossy;
    swarm.run(30_000);
    swarm.start(3);
    swarm.network.faults = calm;
    swarm.run(90_000);
    expect(swarm.network.counts.tooLong).toBe(0);
    const views = swarm.up().map((by) =>
      swarm
        .core(by)!
        .members()
        .map(({ id, status, incarnation }) => `${id} ${status} ${incarnation.boot}.${incarnation.counter}`)
        .filter((line) => !line.startsWith(`${idOf(by)} `))
        .sort(),
    );
    // Each leaves itself out: put back what the first says of the others.
    const all = new Set(views.flat());
    for (const view of views) expect(view).toHaveLength(all.size - 1);
    const before = swarm.network.counts.sent;
    swarm.run(10_000);
    // Two probes a second, each with one answer.
    expect(swarm.network.counts.sent - before).toBeLessThanOrEqual(19 * 4 * 10 + 19);
  });

  test('M1: who stalls while it suspects somebody hears what waited for it before it declares anybody dead', () => {
    const swarm = settled(seed, 10);
    swarm.run(5_000);
    const accusations = [1, 2, 3].map((from) =>
      packAccusation({
        kind: 'suspected',
        id: idOf(5),
        incarnation: swarm
          .core(0)!
          .members()
          .find(({ id }) => id === idOf(5))!.incarnation,
        from: idOf(from),
      }),
    );
    const packet = encodePacket({ kind: 'gossip' }, accusations);
    const from = { id: idOf(1), address: { host: '10.0.0.1', port: 4484 } };
    for (const index of swarm.up()) swarm.tell(index, { kind: 'received', from, packet });
    expect(sees(swarm, 0, 5)?.status).toBe('suspected');
    swarm.stall(0, 4_000);
    const dead: Sighting[] = [];
    swarm.onSighting = (sighting) => {
      if (sighting.by === 0 && sighting.member.status === 'dead') dead.push(sighting);
    };
    swarm.run(10_000);
    expect(dead).toEqual([]);
    expect(swarm.agreed()).toBe(true);
  });

  test('M10: a crash makes nobody think itself unwell: relays say in time that they heard nothing either', () => {
    const swarm = settled(seed, 10);
    swarm.run(5_000);
    swarm.kill(4);
    for (let ms = 0; ms < 8_000; ms += 50) {
      swarm.run(50);
      for (const index of swarm.up()) expect(swarm.core(index)!.condition.health).toBe(0);
    }
    expect(everyoneSees(swarm, 4, 'dead')).toBe(true);
  });

  test('M10: who stalls, or must refute, thinks itself unwell, and well again when all is well', () => {
    const swarm = settled(seed, 10);
    swarm.stall(2, 3_000);
    swarm.run(3_050);
    expect(swarm.core(2)!.condition.health).toBeGreaterThan(0);
    swarm.run(30_000);
    expect(swarm.up().map((index) => swarm.core(index)!.condition.health)).toEqual(Array(10).fill(0));
  });

  test('a member that announced its absence is not declared dead before it is due back', () => {
    const swarm = settled(seed, 6);
    swarm.tell(4, { kind: 'describe', profile: { condition: 'away', awayMs: 20_000 } });
    swarm.run(300);
    swarm.kill(4);
    swarm.run(19_000);
    expect(everyoneSees(swarm, 4, 'alive')).toBe(true);
    swarm.start(4);
    expect(swarm.runUntil(() => swarm.agreed(), 5_000)).toBeDefined();
    swarm.tell(4, { kind: 'describe', profile: { condition: 'away', awayMs: 5_000 } });
    swarm.run(300);
    swarm.kill(4);
    expect(swarm.runUntil(() => everyoneSees(swarm, 4, 'dead'), 15_000)).toBeGreaterThan(4_000);
  });
});

test('all members restart at once, and everybody had forgotten everybody', () => {
  const swarm = settled(7, 12);
  for (const index of swarm.up()) swarm.kill(index);
  for (let index = 0; index < 12; index++) swarm.start(index);
  expect(swarm.runUntil(() => swarm.agreed(), 10_000)).toBeDefined();
  expect(sees(swarm, 3, 4)?.incarnation.boot).toBe(2);
});

test('the same seed gives the same sightings', () => {
  const run = (): readonly Sighting[] => {
    const swarm = new Swarm({ seed: 11, members: 9 });
    swarm.network.faults = lossy;
    swarm.run(5_000);
    swarm.kill(1);
    swarm.run(20_000);
    return swarm.sightings;
  };
  expect(run()).toEqual(run());
});
