/** What containers use right now, from containerd's metrics, which come as cgroup v1 or v2 messages. */
import { fromBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { ContainerStats } from '../../../../../protocols/containers/model.ts';
import type { Call } from '../../../../../protocols/ports.ts';
import type { Engine } from '../engine.ts';
import { isGone } from '../failure.ts';
import { MetricsSchema as MetricsV1 } from '../gen/payloads/cgroups-v1_pb.ts';
import { MetricsSchema as MetricsV2 } from '../gen/payloads/cgroups-v2_pb.ts';
import { Snapshots } from '../gen/services/snapshots_pb.ts';
import { Tasks } from '../gen/services/tasks_pb.ts';

/** A limit above this is the kernel's way to say "none". */
const noLimit = 2 ** 60;

/** Containers without a running task are left out. */
export async function readStats(
  engine: Engine,
  ids: readonly string[],
  disk: boolean,
  call: Call,
): Promise<readonly ContainerStats[]> {
  if (ids.length === 0) return [];
  const filters = ids.map((id) => `id==${JSON.stringify(id)}`);
  const { metrics } = await engine.connection.unary(
    Tasks.method.metrics,
    { filters },
    engine.callLimits(call),
  );
  const stats = metrics.flatMap(({ id, data }) => {
    const used = data && usageOf(data);
    return used ? [{ id, ...used }] : [];
  });
  if (!disk) return stats;
  return Promise.all(stats.map(async (one) => ({ ...one, ...(await diskOf(engine, one.id, call)) })));
}

/** What it wrote over its image; a snapshot that goes meanwhile has none. */
async function diskOf(engine: Engine, id: string, call: Call): Promise<Pick<ContainerStats, 'diskBytes'>> {
  const { snapshotter } = await engine.facts(call);
  const asked = engine.connection.unary(
    Snapshots.method.usage,
    { snapshotter, key: id },
    engine.callLimits(call),
  );
  const used = await asked.catch((error: unknown) => {
    if (isGone(error)) return undefined;
    throw error;
  });
  return used ? { diskBytes: Number(used.size) } : {};
}

/** Undefined for a kind of metrics that is not a Linux cgroup's. */
export function usageOf(data: Pick<Any, 'typeUrl' | 'value'>): Omit<ContainerStats, 'id'> | undefined {
  if (data.typeUrl.endsWith('io.containerd.cgroups.v1.Metrics')) {
    const { cpu, memory, pids } = fromBinary(MetricsV1, data.value);
    return usage({
      cpuNs: cpu?.usage?.total,
      memory: memory?.usage?.usage,
      inactiveFile: memory?.totalInactiveFile,
      limit: memory?.usage?.limit,
      pids: pids?.current,
    });
  }
  if (data.typeUrl.endsWith('io.containerd.cgroups.v2.Metrics')) {
    const { cpu, memory, pids } = fromBinary(MetricsV2, data.value);
    return usage({
      cpuNs: (cpu?.usageUsec ?? 0n) * 1_000n,
      memory: memory?.usage,
      inactiveFile: memory?.inactiveFile,
      limit: memory?.usageLimit,
      pids: pids?.current,
    });
  }
  return undefined;
}

interface Counters {
  readonly cpuNs: bigint | undefined;
  readonly memory: bigint | undefined;
  readonly inactiveFile: bigint | undefined;
  readonly limit: bigint | undefined;
  readonly pids: bigint | undefined;
}

function usage(counters: Counters): Omit<ContainerStats, 'id'> {
  const memoryBytes = Number(counters.memory ?? 0n);
  const limit = Number(counters.limit ?? 0n);
  return {
    cpuNs: Number(counters.cpuNs ?? 0n),
    memoryBytes,
    workingSetBytes: Math.max(0, memoryBytes - Number(counters.inactiveFile ?? 0n)),
    ...(limit > 0 && limit < noLimit ? { memoryLimitBytes: limit } : {}),
    pids: Number(counters.pids ?? 0n),
  };
}
