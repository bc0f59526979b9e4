/**
 * Membership with real processes, ten of them, beside Debian's `serf` in the same run: how soon a death is known everywhere,
 * and at what cost. Serf's kills are shared among clusters of it that do not hear of each other, as each takes ten seconds;
 * ours need the processors and come one by one. Takes eight minutes on a machine that is busy otherwise.
 */
import { least, most, row, skipped, type Limit, type Row } from '../row.ts';
import {
  measureIdle,
  measureKills,
  type ClusterUnderTest,
  type IdleFigures,
  type KillFigures,
} from './cluster-under-test.ts';
import { startHivemind } from './hivemind.ts';
import { hasSerf, startSerf } from './serf.ts';

const nodes = 10;
const kills = 20;
const idleMs = 30_000;
/** Ours measures its machine, and the load of ten starts dies away slowly; serf is silent at once. */
const quietMs = { ours: 30_000, serf: 5_000 };
/** No kill begins later than this after the first: a machine on which others work is waited for no longer. */
const killsWithinMs = 240_000;
const serfDesks = ['serfa', 'serfb', 'serfc', 'serfd'];

type MembershipFigures = IdleFigures & KillFigures;

export async function membershipRows(): Promise<readonly Row[]> {
  const serf = hasSerf() ? await measureSerf() : undefined;
  say(`hivemind-node: ${nodes} daemons start`);
  const ours = await measured(await startHivemind(nodes), quietMs.ours, kills);
  const ratio = (part: (figures: MembershipFigures) => number): number => part(ours) / part(serf!);
  const limits = { p50: most(3), longest: most(5), kills: least(kills), falseDeaths: most(0) };
  return [
    ...rowsOf('hivemind-node', ours, limits),
    ...(serf
      ? [
          ...rowsOf('serf, LAN profile', serf),
          row('hivemind-node ÷ serf: dead everywhere, p50', ratio(median), ' ×'),
          row(
            'hivemind-node ÷ serf: idle packets',
            ratio((of) => of.packetsPerSecond),
            ' ×',
            most(2.2),
          ),
          row(
            'hivemind-node ÷ serf: idle CPU',
            ratio((of) => of.cpuPercent),
            ' ×',
          ),
          row(
            'hivemind-node ÷ serf: RSS',
            ratio((of) => of.rssMb),
            ' ×',
          ),
        ]
      : [skipped('serf, LAN profile', 'no serf on this machine')]),
  ];
}

/** Idle the first cluster alone; the kills in all of them, side by side. */
async function measureSerf(): Promise<MembershipFigures> {
  const clusters: ClusterUnderTest[] = [];
  try {
    say(`serf: ${nodes} agents are idle`);
    clusters.push(await startSerf(serfDesks[0]!, nodes));
    const idle = await measureIdle(clusters[0]!, quietMs.serf, idleMs);
    for (const tag of serfDesks.slice(1)) clusters.push(await startSerf(tag, nodes));
    say(`serf: ${kills} kills, in ${clusters.length} clusters`);
    const share = Math.ceil(kills / clusters.length);
    const parts = await Promise.all(clusters.map((one) => measureKills(one, share, killsWithinMs)));
    return {
      ...idle,
      deadEverywhereMs: parts.flatMap(({ deadEverywhereMs }) => deadEverywhereMs),
      falseDeaths: parts.reduce((sum, { falseDeaths }) => sum + falseDeaths, 0),
    };
  } finally {
    for (const cluster of clusters) await cluster.end();
  }
}

async function measured(
  cluster: ClusterUnderTest,
  calmMs: number,
  count: number,
): Promise<MembershipFigures> {
  try {
    say('hivemind-node: idle');
    const idle = await measureIdle(cluster, calmMs, idleMs);
    say(`hivemind-node: ${count} kills`);
    return { ...idle, ...(await measureKills(cluster, count, killsWithinMs)) };
  } finally {
    await cluster.end();
  }
}

const median = ({ deadEverywhereMs }: KillFigures): number => {
  const times = deadEverywhereMs.toSorted((a, b) => a - b);
  return (times[Math.floor((times.length - 1) / 2)]! + times[Math.ceil((times.length - 1) / 2)]!) / 2;
};

interface Limits {
  readonly p50?: Limit;
  readonly longest?: Limit;
  readonly kills?: Limit;
  readonly falseDeaths?: Limit;
}

function rowsOf(who: string, figures: MembershipFigures, limits: Limits = {}): readonly Row[] {
  const times = figures.deadEverywhereMs;
  return [
    row(`${who}: kills that were measured`, times.length, '', limits.kills),
    row(`${who}: kill -9 to dead everywhere, p50`, median(figures) / 1_000, ' s', limits.p50),
    row(`${who}: the longest of ${times.length}`, Math.max(...times) / 1_000, ' s', limits.longest),
    row(`${who}: called dead, and lived`, figures.falseDeaths, '', limits.falseDeaths),
    row(`${who}: idle, packets sent by a node`, figures.packetsPerSecond, '/s'),
    row(`${who}: of these datagrams`, figures.datagramsPerSecond, '/s'),
    row(`${who}: idle, CPU of a core a node`, figures.cpuPercent, ' %'),
    row(`${who}: RSS of a node`, figures.rssMb, ' MB'),
  ];
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);
