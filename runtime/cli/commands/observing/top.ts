/** `top`: what running containers use; with a slot the processes inside it. */
import type { Command } from 'commander';
import type { ContainerProcess } from '../../../../protocols/containers/model.ts';
import type { Cli } from '../../cli.ts';
import { containerPath, type StatsRow } from '../../connection/answers.ts';
import { printListing, type Listing } from '../../output/listing.ts';
import { bytes } from '../../output/units.ts';
import { loadKnown, resolveTarget, slotsOf } from '../../targets.ts';
import { action, leaf } from '../command.ts';

/** Between the two looks that the share of a processor is told from. */
const sampleMs = 500;

export function topCommand(program: Command, cli: Cli): void {
  const command = leaf(program, {
    usage: 'top [target]',
    summary: 'what running containers use; of one container its processes',
    examples: ['hivemind top -w', 'hivemind top shop', 'hivemind top shop/web.1'],
    group: 'Observe:',
    forms: true,
    watch: true,
  });
  action(command, cli, async (_options, [text]) => {
    if (text === undefined) return usage(cli, undefined);
    const known = await loadKnown(cli);
    const target = resolveTarget(String(text), known);
    const slots = slotsOf(target, known);
    const [only] = slots;
    if (slots.length === 1 && only !== undefined && String(text).includes('.')) return inside(cli, only);
    return usage(cli, new Set(slots));
  });
}

type Row = StatsRow & { readonly cpuPercent?: number };

function usage(cli: Cli, slots: ReadonlySet<string> | undefined): Promise<number> {
  let before = new Map<string, StatsRow>();
  const look = async (): Promise<readonly StatsRow[]> =>
    (await (await cli.client()).get<{ stats: readonly StatsRow[] }>('/v1/stats')).stats.filter(
      ({ slot }) => !slots || slots.has(slot),
    );
  const remember = (stats: readonly StatsRow[]): void => {
    before = new Map(stats.map((one) => [one.id, one]));
  };
  return printListing(cli, usageListing, async () => {
    if (before.size === 0) {
      remember(await look());
      await new Promise<void>((resolve) => cli.process.clock.setTimer(sampleMs, resolve));
    }
    const stats = await look();
    const rows = stats.map((one) => withShare(one, before.get(one.id)));
    remember(stats);
    return rows;
  });
}

/** Of one processor, over the time between two looks. */
function withShare(now: StatsRow, before: StatsRow | undefined): Row {
  const tookMs = before ? now.at - before.at : 0;
  if (!before || tookMs <= 0) return now;
  const share = (now.cpuNs - before.cpuNs) / (tookMs * 1_000_000);
  return { ...now, cpuPercent: Math.max(0, Math.round(share * 1_000) / 10) };
}

const usageListing: Listing<Row> = {
  name: (row) => row.slot,
  fields: [
    'slot',
    'id',
    'cpuPercent',
    'cpuNs',
    'memoryBytes',
    'workingSetBytes',
    'memoryLimitBytes',
    'pids',
    'diskBytes',
  ],
  empty: 'Nothing runs. Next: hivemind ps',
  columns: [
    { title: 'NAME', cell: (row) => row.slot },
    { title: 'CPU', cell: (row) => (row.cpuPercent === undefined ? '-' : `${row.cpuPercent.toFixed(1)}%`) },
    { title: 'MEMORY', cell: (row) => bytes(row.workingSetBytes) },
    {
      title: 'LIMIT',
      cell: (row) => (row.memoryLimitBytes === undefined ? '-' : bytes(row.memoryLimitBytes)),
    },
    { title: 'PIDS', cell: (row) => String(row.pids) },
    { title: 'DISK', cell: (row) => (row.diskBytes === undefined ? '-' : bytes(row.diskBytes)) },
    { title: 'CONTAINER', cell: (row) => row.id, wide: true },
  ],
};

function inside(cli: Cli, slot: string): Promise<number> {
  return printListing(cli, processListing, async () => {
    const path = containerPath(slot, 'processes');
    return (await (await cli.client()).get<{ processes: readonly ContainerProcess[] }>(path)).processes;
  });
}

const processListing: Listing<ContainerProcess> = {
  name: (row) => String(row.pid),
  fields: ['pid', 'parent', 'uid', 'state', 'cpuMs', 'memoryBytes', 'command'],
  empty: 'No process is left.',
  columns: [
    { title: 'PID', cell: (row) => String(row.pid) },
    { title: 'PARENT', cell: (row) => String(row.parent), wide: true },
    { title: 'UID', cell: (row) => String(row.uid) },
    { title: 'STATE', cell: (row) => row.state },
    { title: 'CPU', cell: (row) => `${(row.cpuMs / 1_000).toFixed(1)}s` },
    { title: 'MEMORY', cell: (row) => bytes(row.memoryBytes) },
    { title: 'COMMAND', cell: (row) => row.command },
  ],
};
