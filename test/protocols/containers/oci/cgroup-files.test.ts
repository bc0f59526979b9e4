/** Limits in the words of both versions of cgroups. */
import { expect, test } from 'vitest';
import type { ResourceSettings } from '../../../../protocols/apps/service-model.ts';
import { cgroupWrites } from '../../../../protocols/containers/oci/cgroup-files.ts';
import { limitsOf, limitsUpdate } from '../../../../protocols/containers/oci/resources.ts';

const textOf = (...asked: Parameters<typeof cgroupWrites>): string =>
  cgroupWrites(...asked)
    .map(({ controller, file, value }) => `${controller}:${file}=${value}`)
    .join(' ');
const ground = { blockDevices: {}, swapCounted: true };

test.each<[ResourceSettings, string, string]>([
  [{}, '', ''],
  [
    { limits: { memoryBytes: 1_000, cpus: 1.5, pids: 9 } },
    'memory:memory.limit_in_bytes=1000 memory:memory.memsw.limit_in_bytes=2000 cpu:cpu.cfs_quota_us=-1 ' +
      'cpu:cpu.cfs_period_us=100000 cpu:cpu.cfs_quota_us=150000 pids:pids.max=9',
    'memory:memory.max=1000 memory:memory.swap.max=1000 cpu:cpu.max=150000 100000 pids:pids.max=9',
  ],
  [
    { limits: { memoryBytes: 1_000, pids: -1 }, memorySwapBytes: -1, cpuShares: 1_024, cpuset: '0-1' },
    'memory:memory.limit_in_bytes=1000 memory:memory.memsw.limit_in_bytes=-1 cpu:cpu.shares=1024 ' +
      'cpuset:cpuset.cpus=0-1 pids:pids.max=max',
    'memory:memory.max=1000 memory:memory.swap.max=max cpu:cpu.weight=39 cpuset:cpuset.cpus=0-1 pids:pids.max=max',
  ],
  [
    { reservations: { memoryBytes: 500, cpus: 1 } },
    'memory:memory.soft_limit_in_bytes=500',
    'memory:memory.low=500',
  ],
])('%j', (settings, first, second) => {
  expect(textOf(1, limitsOf(settings, { ...ground, cgroups: 1 }))).toBe(first);
  expect(textOf(2, limitsOf(settings, { ...ground, cgroups: 2 }))).toBe(second);
});

test('what is no longer limited is said too', () => {
  const none = (cgroups: 1 | 2) =>
    textOf(cgroups, limitsUpdate({}, { ...ground, cgroups, cpuset: '0-3', weighsDisks: false }));
  expect(none(1)).toBe(
    'memory:memory.limit_in_bytes=-1 memory:memory.memsw.limit_in_bytes=-1 memory:memory.soft_limit_in_bytes=-1 ' +
      'cpu:cpu.shares=1024 cpu:cpu.cfs_quota_us=-1 cpu:cpu.cfs_period_us=100000 cpu:cpu.cfs_quota_us=-1 ' +
      'cpuset:cpuset.cpus=0-3 pids:pids.max=max',
  );
  expect(none(2)).toBe(
    'memory:memory.max=max memory:memory.swap.max=max memory:memory.low=1 cpu:cpu.weight=39 ' +
      'cpu:cpu.max=max 100000 cpuset:cpuset.cpus=0-3 pids:pids.max=max',
  );
});
