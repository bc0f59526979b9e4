/** What runs use, summed over their processes from one look at /proc. */
import { readFile } from 'node:fs/promises';
import type { ContainerStats } from '../../../../protocols/containers/model.ts';
import { processesOf } from '../process-table.ts';
import { ProcessScan, type Seen } from '../process-files.ts';
import type { Runs } from './runs.ts';

/** Of those that run; the others are left out. What it wrote is not known: it has no files of its own. */
export async function statsOf(runs: Runs, ids: readonly string[]): Promise<readonly ContainerStats[]> {
  const scan = await ProcessScan.take();
  const found = await Promise.all(ids.map((id) => oneOf(runs, id, scan)));
  return found.filter((one) => one !== undefined);
}

async function oneOf(runs: Runs, id: string, scan: ProcessScan): Promise<ContainerStats | undefined> {
  const phase = (await runs.status(id))?.phase;
  if (phase !== 'running' && phase !== 'paused') return undefined;
  const members = await runs.members(id, scan);
  if (members.length === 0) return undefined;
  const [table, times, counted] = await Promise.all([
    processesOf(members.map(({ pid }) => pid)),
    Promise.all(members.map(cpuNs)),
    runs.counted(id),
  ]);
  const memoryBytes = table.reduce((sum, one) => sum + one.memoryBytes, 0);
  return {
    id,
    cpuNs: times.reduce((sum, ns) => sum + ns, 0),
    memoryBytes,
    workingSetBytes: memoryBytes,
    pids: members.length,
    // Of those that have ended too.
    ...counted,
  };
}

/** Of one that lives; what ended before is not counted. */
async function cpuNs({ pid }: Seen): Promise<number> {
  const text = await readFile(`/proc/${pid}/schedstat`, 'utf8').catch(() => '0');
  return Number.parseInt(text, 10);
}
