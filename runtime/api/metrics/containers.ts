/** Figures of the node's containers and volumes. Containers are under cAdvisor's names, so that dashboards made for it work. */
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import type { ContainerStats, Flow, Traffic } from '../../../protocols/containers/model.ts';
import type { DiskUse } from './disk-use.ts';
import { counter, gauge, type Family, type Labels, type Sample } from './text.ts';

interface Measured {
  readonly stats: readonly ContainerStats[];
  readonly traffic: readonly Traffic[];
  readonly disk: DiskUse;
}

export function ofContainers(
  node: string,
  slots: readonly SlotStatus[],
  { stats, traffic, disk }: Measured,
): readonly Family[] {
  const used = new Map(stats.map((one) => [one.id, one]));
  const links = new Map(traffic.map((one) => [one.id, one]));
  const running = slots.flatMap(({ containerId: id = '', slot, image, app, service, startedAt }) => {
    const own = used.get(id);
    return own ? [{ id, labels: { id, name: slot, image, app, service, node }, used: own, startedAt }] : [];
  });
  const sampled = (valueOf: (one: (typeof running)[number]) => number | undefined, more?: Labels): Sample[] =>
    running.flatMap((one) => {
      const value = valueOf(one);
      return value === undefined ? [] : [{ labels: { ...one.labels, ...more }, value }];
    });
  const flows = (side: 'received' | 'sent', count: keyof Flow): Sample[] =>
    sampled(({ id }) => links.get(id)?.[side][count], { interface: 'eth0' });
  return [
    ...ofUse(sampled),
    ...ofTraffic(flows),
    gauge(
      'container_fs_usage_bytes',
      'What a container wrote over its image, measured once a minute.',
      sampled(({ id }) => disk.containers.get(id)),
    ),
    gauge(
      'container_start_time_seconds',
      'When a container started, since 1970.',
      sampled(({ startedAt }) => (startedAt === undefined ? undefined : startedAt / 1_000)),
    ),
  ];
}

function ofUse(
  sampled: (valueOf: (one: { readonly used: ContainerStats }) => number | undefined) => Sample[],
): readonly Family[] {
  return [
    counter(
      'container_cpu_usage_seconds_total',
      'CPU time of a container.',
      sampled(({ used }) => used.cpuNs / 1e9),
    ),
    gauge(
      'container_memory_usage_bytes',
      'Memory of a container, page cache included.',
      sampled(({ used }) => used.memoryBytes),
    ),
    gauge(
      'container_memory_working_set_bytes',
      'Memory of a container that cannot be reclaimed.',
      sampled(({ used }) => used.workingSetBytes),
    ),
    gauge(
      'container_spec_memory_limit_bytes',
      'Memory that a container may use.',
      sampled(({ used }) => used.memoryLimitBytes),
    ),
    gauge(
      'container_processes',
      'Processes and threads of a container.',
      sampled(({ used }) => used.pids),
    ),
  ];
}

const counts = [
  ['bytes', 'bytes', 'Bytes'],
  ['packets', 'packets', 'Packets'],
  ['errors', 'errors', 'Errors of packets'],
  ['dropped', 'packets_dropped', 'Dropped packets'],
] as const;

function ofTraffic(flows: (side: 'received' | 'sent', count: keyof Flow) => Sample[]): readonly Family[] {
  return counts.flatMap(([count, word, text]) => [
    counter(
      `container_network_receive_${word}_total`,
      `${text} that a container received.`,
      flows('received', count),
    ),
    counter(
      `container_network_transmit_${word}_total`,
      `${text} that a container sent.`,
      flows('sent', count),
    ),
  ]);
}

export function ofVolumes(node: string, { volumes }: DiskUse): readonly Family[] {
  return [
    gauge(
      'hivemind_volume_used_bytes',
      'What a volume takes on disk, measured once a minute.',
      volumes.map(({ app, volume, bytes }) => ({ labels: { app, volume, node }, value: bytes })),
    ),
  ];
}
