/**
 * Membership in simulation: hundreds of members, days of their time. Every figure follows from its seeds, except how
 * fast this machine simulates. `npm run bench -- swarm [--hours N]`
 */
import { performance } from 'node:perf_hooks';
import { idOf, Swarm } from '../../runtime/simulation/membership/swarm.ts';
import { chanceFor } from '../../runtime/world/simulated/chance.ts';
import { calm } from '../../transport/memory/datagrams.ts';
import { least, most, row, type Row } from './row.ts';

/** Virtual time while two members out of three may be wrong about the third. */
const patienceMs = 60_000;

function settled(seed: number, members: number): Swarm {
  const swarm = new Swarm({ seed, members });
  swarm.onSighting = () => {};
  if (swarm.runUntil(() => swarm.agreed(), patienceMs, 500) === undefined)
    throw new Error(`${members} members did not find each other`);
  return swarm;
}

/** ms until each death was known everywhere, sorted; each member is killed at a moment of its own and comes back. */
function deaths(members: number, trials: number): number[] {
  const swarm = settled(members, members);
  const chance = chanceFor(members, 'deaths');
  const tookMs: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    swarm.run(5_000 + chance.next() * 1_000);
    const victim = Math.floor(chance.next() * members);
    const unaware = new Set(swarm.up().filter((index) => index !== victim));
    const start = swarm.now;
    let last = start;
    swarm.onSighting = ({ at, by, member }) => {
      if (member.id !== idOf(victim) || member.status !== 'dead') return;
      if (unaware.delete(by)) last = at;
    };
    swarm.kill(victim);
    swarm.runUntil(() => unaware.size === 0, patienceMs);
    tookMs.push(unaware.size === 0 ? last - start : Number.POSITIVE_INFINITY);
    swarm.onSighting = () => {};
    swarm.start(victim);
    swarm.runUntil(() => swarm.agreed(), patienceMs);
  }
  return tookMs.sort((a, b) => a - b);
}

/** Longest ms from the mending of a partition into halves to full agreement, after so many minutes apart. */
function healing(members: number, minutes: readonly number[]): number {
  const all = Array.from({ length: members }, (_, index) => index);
  const half = Math.floor(members / 2);
  const tookMs = minutes.map((apart, trial) => {
    const swarm = settled(trial + 1, members);
    swarm.partition(all.slice(0, half), all.slice(half));
    swarm.run(apart * 60_000);
    swarm.network.mendAll();
    return swarm.runUntil(() => swarm.agreed(), patienceMs) ?? Number.POSITIVE_INFINITY;
  });
  return Math.max(...tookMs);
}

/** Ten members, a tenth of all packets lost, each member still for a second once in a hundred seconds. */
function longRun(hours: number): Record<'falseDeaths' | 'suspicions' | 'ratio', number> {
  const swarm = settled(1, 10);
  const chance = chanceFor(1, 'stalls');
  let falseDeaths = 0;
  swarm.onSighting = ({ member }) => {
    if (member.status === 'dead') falseDeaths += 1;
  };
  swarm.network.faults = { ...calm, loss: 0.1, meanMs: 1, duplicate: 0.02, replay: 0.02 };
  const start = performance.now();
  for (let round = 0; round < hours * 360; round++) {
    for (let index = 0; index < swarm.size; index++) {
      if (chance.next() < 0.1) swarm.clock.setTimer(chance.next() * 9_000, () => swarm.stall(index, 1_000));
    }
    swarm.run(10_000);
  }
  const suspicions = swarm.up().reduce((sum, index) => sum + swarm.core(index)!.counts.suspicions, 0);
  const tookMs = performance.now() - start;
  return { falseDeaths, suspicions, ratio: (hours * 3_600_000) / tookMs };
}

interface Rest {
  /** Packets a second a member sends when nothing happens. */
  readonly packets: number;
  /** Virtual by real time, and CPU of one packet: sent, carried, heard, and what followed from it; of the best part of ten. */
  readonly ratio: number;
  readonly microseconds: number;
}

function idle(members: number, seconds: number): Rest {
  const swarm = settled(1, members);
  swarm.runUntil(() => swarm.up().every((index) => swarm.core(index)!.condition.news === 0), 300_000, 1_000);
  const { counts } = swarm.network;
  const before = counts.sent;
  const parts = Array.from({ length: 10 }, () => {
    const [sent, start, used] = [counts.sent, performance.now(), process.cpuUsage()];
    swarm.run(seconds * 100);
    const { user, system } = process.cpuUsage(used);
    const tookMs = performance.now() - start;
    return { ratio: (seconds * 100) / tookMs, microseconds: (user + system) / (counts.sent - sent) };
  });
  return {
    packets: (counts.sent - before) / members / seconds,
    ratio: Math.max(...parts.map(({ ratio }) => ratio)),
    microseconds: Math.min(...parts.map(({ microseconds }) => microseconds)),
  };
}

/** `hours` of virtual time for the long run: a day takes a minute or two. */
export function swarmRows(hours: number): readonly Row[] {
  const ten = deaths(10, 20);
  const hundred = deaths(100, 100);
  const quiet = idle(10, 600);
  const long = longRun(hours);
  return [
    row('10 members: a death known everywhere, p50 of 20', ten[9]!, ' ms', most(3_000)),
    row('the same, longest of 20', ten.at(-1)!, ' ms', most(5_000)),
    row('100 members: a death known everywhere, p99 of 100', hundred[98]!, ' ms', most(7_000)),
    row(
      '10 members: halves agree after 1 to 30 min apart',
      healing(10, [1, 2, 5, 10, 30]),
      ' ms',
      most(10_000),
    ),
    row('100 members: the same, after 2 min', healing(100, [2]), ' ms', most(10_000)),
    row('packets a second a member, nothing happens', quiet.packets, '/s', most(4.4)),
    row(`false deaths, 10 members, 10 % loss, stalls, ${hours} h`, long.falseDeaths, '', most(0)),
    row('suspicions meanwhile', long.suspicions, ''),
    row('virtual by real time of it', long.ratio, ' ×'),
    ...restRows(),
  ];
}

/** How fast cores at rest are simulated. */
function restRows(): readonly Row[] {
  const sizes: readonly (readonly [members: number, seconds: number, atLeast: number])[] = [
    [5, 10_000, 500],
    [100, 200, 10],
    [1_000, 20, 1],
  ];
  return sizes.flatMap(([members, seconds, atLeast]) => {
    const { ratio, microseconds } = idle(members, seconds);
    const who = `${members.toLocaleString('en')} members at rest`;
    return [
      row(`${who}: virtual by real time`, ratio, ' ×', least(atLeast)),
      row('the same: CPU of one packet', microseconds, ' µs'),
    ];
  });
}
