/** Membership with real processes, ten of them, beside Debian's `serf` in the same run: how soon a death is known everywhere, and at what cost. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { most, row, skipped, type Limit, type Row } from '../row.ts';
import { measure, type ClusterUnderTest, type MembershipFigures } from './cluster-under-test.ts';
import { startHivemind } from './hivemind.ts';
import { hasSerf, startSerf } from './serf.ts';

const nodes = 10;
const kills = 20;

/** Takes ten minutes. */
export async function membershipRows(): Promise<readonly Row[]> {
  const serf = hasSerf() ? await measured(await startSerf(nodes)) : undefined;
  const ours = await measured(
    await startHivemind(nodes, await mkdtemp(join(tmpdir(), 'hivemind-bench-desk-'))),
  );
  const theirs = serf
    ? rowsOf('serf, LAN profile', serf)
    : [skipped('serf, LAN profile', 'no serf on this machine')];
  const ratio = (part: (figures: MembershipFigures) => number): number => part(ours) / part(serf!);
  return [
    ...rowsOf('hivemind-node', ours, { p50: most(3), longest: most(5) }),
    ...theirs,
    ...(serf
      ? [
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
      : []),
  ];
}

const median = ({ deadEverywhereMs }: MembershipFigures): number => {
  const times = deadEverywhereMs.toSorted((a, b) => a - b);
  return (times[Math.floor((times.length - 1) / 2)]! + times[Math.ceil((times.length - 1) / 2)]!) / 2;
};

function rowsOf(
  who: string,
  figures: MembershipFigures,
  limits: { readonly p50?: Limit; readonly longest?: Limit } = {},
): readonly Row[] {
  const times = figures.deadEverywhereMs;
  return [
    row(`${who}: kill -9 to dead everywhere, p50`, median(figures) / 1_000, ' s', limits.p50),
    row(`${who}: the longest of ${times.length}`, Math.max(...times) / 1_000, ' s', limits.longest),
    row(`${who}: idle, packets sent by a node`, figures.packetsPerSecond, '/s'),
    row(`${who}: of these datagrams`, figures.datagramsPerSecond, '/s'),
    row(`${who}: idle, CPU of a core a node`, figures.cpuPercent, ' %'),
    row(`${who}: RSS of a node`, figures.rssMb, ' MB'),
  ];
}

async function measured(cluster: ClusterUnderTest): Promise<MembershipFigures> {
  try {
    return await measure(cluster, kills);
  } finally {
    await cluster.end();
  }
}
