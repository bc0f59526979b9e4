/** Membership with real processes, ten of them, beside Debian's `serf` in the same run: how soon a death is known everywhere, and at what cost. */
import { row, skipped, type Row } from '../row.ts';
import { measure, type ClusterUnderTest, type MembershipFigures } from './cluster-under-test.ts';
import { hasSerf, startSerf } from './serf.ts';

const nodes = 10;
const kills = 20;

/** Takes five minutes. */
export async function membershipRows(): Promise<readonly Row[]> {
  return hasSerf()
    ? rowsOf('serf, LAN profile', await measured(await startSerf(nodes)))
    : [skipped('serf, LAN profile', 'no serf on this machine')];
}

function rowsOf(who: string, figures: MembershipFigures): readonly Row[] {
  const times = figures.deadEverywhereMs.toSorted((a, b) => a - b);
  return [
    row(`${who}: kill -9 to dead everywhere, p50`, times[Math.floor(times.length / 2)]! / 1_000, ' s'),
    row(`${who}: the longest of ${times.length}`, times.at(-1)! / 1_000, ' s'),
    row(`${who}: idle, packets sent by a node`, figures.packetsPerSecond, '/s'),
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
