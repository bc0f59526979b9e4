/** Limits as the files of a cgroup take them, for runtimes that write them themselves. */
import type { OciCpu, OciMemory, OciResources } from './types.ts';

/** One write; a `controller` is a hierarchy of its own under version 1. */
export interface CgroupWrite {
  readonly controller: 'memory' | 'cpu' | 'cpuset' | 'pids';
  readonly file: string;
  readonly value: string;
}

/** In the order in which the kernel takes them when nothing is set yet. */
export function cgroupWrites(
  cgroups: 1 | 2,
  { memory = {}, cpu = {}, pids }: Omit<OciResources, 'devices'>,
): readonly CgroupWrite[] {
  const own = cgroups === 1 ? [...memoryFiles(memory), ...cpuFiles(cpu)] : unified(memory, cpu);
  const { cpus } = cpu;
  return [
    ...own,
    ...(cpus === undefined ? [] : [{ controller: 'cpuset', file: 'cpuset.cpus', value: cpus } as const]),
    ...(pids ? [{ controller: 'pids', file: 'pids.max', value: orMax(pids.limit) } as const] : []),
  ];
}

function memoryFiles({ limit, swap, reservation, swappiness }: OciMemory): readonly CgroupWrite[] {
  return said('memory', [
    ['memory.limit_in_bytes', limit],
    ['memory.memsw.limit_in_bytes', swap],
    ['memory.soft_limit_in_bytes', reservation],
    ['memory.swappiness', swappiness],
  ]);
}

/** A quota longer than the period before is refused: the period goes first, under no quota at all. */
function cpuFiles({ shares, quota, period }: OciCpu): readonly CgroupWrite[] {
  return said('cpu', [
    ['cpu.shares', shares],
    ['cpu.cfs_quota_us', period === undefined ? undefined : -1],
    ['cpu.cfs_period_us', period],
    ['cpu.cfs_quota_us', quota],
  ]);
}

/** Version 2 counts swap apart from memory, and weighs processors from 1 to 10,000. */
function unified(memory: OciMemory, { shares, quota, period }: OciCpu): readonly CgroupWrite[] {
  const { limit, swap, reservation } = memory;
  const apart = swap === undefined || swap < 0 ? swap : Math.max(0, swap - Math.max(0, limit ?? 0));
  const weight = shares === undefined ? undefined : 1 + Math.floor(((shares - 2) * 9_999) / 262_142);
  const max = quota === undefined ? undefined : `${orMax(quota)}${period === undefined ? '' : ` ${period}`}`;
  return [
    ...said('memory', [
      ['memory.max', limit, orMax],
      ['memory.swap.max', apart, orMax],
      ['memory.low', reservation],
    ]),
    ...said('cpu', [['cpu.weight', weight]]),
    ...(max === undefined ? [] : [{ controller: 'cpu', file: 'cpu.max', value: max } as const]),
  ];
}

type Said = readonly [file: string, value: number | undefined, write?: (value: number) => string];

const said = (controller: CgroupWrite['controller'], files: readonly Said[]): readonly CgroupWrite[] =>
  files.flatMap(([file, value, write = String]) =>
    value === undefined ? [] : [{ controller, file, value: write(value) }],
  );

const orMax = (value: number): string => (value < 0 ? 'max' : String(value));
