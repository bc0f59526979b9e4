/** The profile for long ways (M1–M3): a tenth of a second each way, some packets lost. */
import { describe, expect, test } from 'vitest';
import { packAccusation } from '../../../protocols/membership/claims/codec.ts';
import { encodePacket } from '../../../protocols/membership/packets.ts';
import { timesOf } from '../../../protocols/membership/profile.ts';
import type { MemberStatus } from '../../../protocols/membership/model.ts';
import { idOf, Swarm, type Sighting } from '../../../runtime/simulation/membership/swarm.ts';
import { deadWithinMs } from '../../../runtime/simulation/checkers/membership/verdicts.ts';

const times = timesOf.wan;
const far = { loss: 0.03, delayMs: 100, meanMs: 20, duplicate: 0.01, replay: 0.01 };
const members = 8;

function settled(seed: number): Swarm {
  const swarm = new Swarm({ seed, members, times, zones: 3 });
  swarm.network.faults = far;
  expect(
    swarm.runUntil(() => swarm.agreed(), 4 * times.reunionMs),
    'all found each other',
  ).toBeDefined();
  return swarm;
}

const everyoneSees = (swarm: Swarm, by: readonly number[], of: number, status: MemberStatus): boolean =>
  by.every((index) => index === of || swarm.core(index)!.member(idOf(of))?.status === status);

/** `by` hears of as many accusers as make a suspicion the shortest. */
function accuse(swarm: Swarm, by: number, of: number): void {
  const { incarnation } = swarm.core(by)!.member(idOf(of))!;
  const accusers = swarm.up().filter((index) => index !== by && index !== of);
  const accusations = accusers
    .slice(0, 3)
    .map((from) => packAccusation({ kind: 'suspected', id: idOf(of), incarnation, from: idOf(from) }));
  const from = { id: idOf(accusers[0]!), address: { host: '10.0.0.1', port: 4484 } };
  const packet = encodePacket({ kind: 'gossip' }, accusations);
  swarm.tell(by, { kind: 'received', from, packet });
}

describe.each([1, 2, 3])('seed %i', (seed) => {
  test('M1: nobody alive is declared dead, also with a tenth lost, stalls of a second and accusers', () => {
    const swarm = settled(seed);
    const dead: Sighting[] = [];
    swarm.onSighting = (sighting) => {
      if (sighting.member.status === 'dead') dead.push(sighting);
    };
    swarm.network.faults = { ...far, loss: 0.1 };
    for (let round = 0; round < 360; round += 1) {
      const index = round % members;
      if (round % 3 === 0) swarm.stall(index, 1_000);
      // Of streams no packets are lost, so suspicions hardly come by themselves.
      if (round % 5 === 0) accuse(swarm, index, (index + 1) % members);
      swarm.run(10_000);
    }
    expect(dead).toEqual([]);
    for (const index of swarm.up())
      expect(swarm.core(index)!.counts.sentOf['ping-request'], 'that was not all easy').toBeGreaterThan(0);
  });

  test('M2: a killed member is dead for everyone within the bound of its times', () => {
    const swarm = settled(seed);
    swarm.run(seed * 1_234);
    swarm.kill(2);
    const withinMs = deadWithinMs(times, members, members - 1);
    expect(swarm.runUntil(() => everyoneSees(swarm, swarm.up(), 2, 'dead'), withinMs)).toBeDefined();
  });

  test('M3: halves that held each other dead find together as soon as they try', () => {
    const swarm = settled(seed);
    const [some, others] = [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ] as const;
    swarm.partition(some, others);
    swarm.run(5 * 60_000);
    for (const of of others) expect(everyoneSees(swarm, some, of, 'dead')).toBe(true);
    swarm.network.mendAll();
    expect(swarm.runUntil(() => swarm.agreed(), 2 * times.reunionMs)).toBeDefined();
  });
});
