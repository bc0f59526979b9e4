/**
 * What both sides of the comparison are asked: ten processes that watch each other, one of which is killed again and
 * again. Who they are, and how each tells its news, is the business of `serf.ts` and `hivemind.ts`.
 */
import { readFileSync } from 'node:fs';
import { until } from '../../kit/until.ts';
import { pause } from '../pause.ts';

export interface ClusterUnderTest {
  readonly names: readonly string[];
  /** Of the process now; another after each start. */
  pidOf(name: string): number;
  /** Ready when all see all alive. */
  start(name: string): Promise<void>;
  /** What members said about others, in the order of arrival here. */
  readonly news: readonly News[];
  end(): Promise<void>;
}

export interface News {
  readonly by: string;
  readonly about: string;
  readonly what: 'alive' | 'dead';
  /** `performance.now()` of this process. */
  readonly at: number;
}

export interface IdleFigures {
  /** Sent over the link by one node in a second, of any kind; nothing happens meanwhile. */
  readonly packetsPerSecond: number;
  /** Of these the datagrams: probes, answers and gossip. */
  readonly datagramsPerSecond: number;
  readonly cpuPercent: number;
  readonly rssMb: number;
}

export interface KillFigures {
  /** By kill, in ms until the last of the others called it dead. */
  readonly deadEverywhereMs: readonly number[];
  /** How often somebody was called dead who lived. */
  readonly falseDeaths: number;
}

/** One kill in turn after the other, each when the one before is back everywhere; none begins once `withinMs` are over. */
export async function measureKills(
  cluster: ClusterUnderTest,
  kills: number,
  withinMs: number,
): Promise<KillFigures> {
  const { names, news } = cluster;
  const endsAt = performance.now() + withinMs;
  const deadEverywhereMs: number[] = [];
  const killed: { readonly victim: string; readonly from: number; readonly until: number }[] = [];
  for (let turn = 0; turn < kills && performance.now() < endsAt; turn++) {
    const victim = names[(turn * 3 + 1) % names.length]!;
    const from = performance.now();
    deadEverywhereMs.push(await killOne(cluster, victim));
    killed.push({ victim, from, until: performance.now() });
    // At another moment of everybody's probes than the last one.
    await pause(1_000 + 250 * (turn % 7));
  }
  const isTrue = ({ about, at }: News): boolean =>
    killed.some(({ victim, from, until: end }) => victim === about && at >= from && at <= end);
  const falseDeaths = news.filter((one) => one.what === 'dead' && !isTrue(one)).length;
  return { deadEverywhereMs, falseDeaths };
}

async function killOne(cluster: ClusterUnderTest, victim: string): Promise<number> {
  const others = cluster.names.filter((name) => name !== victim);
  const begun = cluster.news.length;
  const from = performance.now();
  process.kill(cluster.pidOf(victim), 'SIGKILL');
  const times = await until(
    `${victim} is dead at all others`,
    () => firstOf(cluster.news.slice(begun), others, victim, 'dead'),
    60_000,
  );
  const again = cluster.news.length;
  await cluster.start(victim);
  await until(
    `${victim} is back at all others`,
    () => firstOf(cluster.news.slice(again), others, victim, 'alive'),
    60_000,
  );
  return Math.max(...times) - from;
}

/** When each of these said it first; `undefined` while one has not. */
function firstOf(
  news: readonly News[],
  by: readonly string[],
  about: string,
  what: News['what'],
): readonly number[] | undefined {
  const times = by.map(
    (name) => news.find((one) => one.by === name && one.about === about && one.what === what)?.at,
  );
  return times.every((at) => at !== undefined) ? (times as number[]) : undefined;
}

/** A mean over all nodes, after `quietMs` in which the start's own news calms down. */
export async function measureIdle(
  { names, pidOf }: ClusterUnderTest,
  quietMs: number,
  idleMs: number,
): Promise<IdleFigures> {
  await pause(quietMs);
  const pids = names.map(pidOf);
  const from = performance.now();
  const before = pids.map(readUse);
  await pause(idleMs);
  const passedMs = performance.now() - from;
  const after = pids.map(readUse);
  const grown = (part: 'packets' | 'datagrams' | 'cpuMs'): number =>
    after.reduce((sum, use, at) => sum + use[part] - before[at]![part], 0) / pids.length;
  return {
    packetsPerSecond: grown('packets') / (passedMs / 1_000),
    datagramsPerSecond: grown('datagrams') / (passedMs / 1_000),
    cpuPercent: (grown('cpuMs') / passedMs) * 100,
    rssMb: after.reduce((sum, { rssMb }) => sum + rssMb, 0) / pids.length,
  };
}

interface Use {
  /** Sent by the link of its network namespace, which nobody else is in. */
  readonly packets: number;
  readonly datagrams: number;
  readonly cpuMs: number;
  readonly rssMb: number;
}

function readUse(pid: number): Use {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const link = /^\s*eth0:(.*)$/m.exec(readFileSync(`/proc/${pid}/net/dev`, 'utf8'))?.[1] ?? '';
  const udp = /^Udp: (\d.*)$/m.exec(readFileSync(`/proc/${pid}/net/snmp`, 'utf8'))?.[1] ?? '';
  return {
    datagrams: Number(udp.split(' ')[3]),
    packets: Number(link.trim().split(/\s+/)[9]),
    cpuMs: (fields[11]! + fields[12]!) * 10,
    rssMb: (fields[21]! * 4_096) / 1_048_576,
  };
}
