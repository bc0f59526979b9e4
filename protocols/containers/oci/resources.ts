/**
 * What a container may use, as the OCI specification writes it: at its create, and when it changes while the
 * container runs. The specification speaks of cgroup v1; the runtime translates for v2, which lacks some of it.
 */
import { hashValue } from '../../hash.ts';
import type { ResourceSettings } from '../../apps/service-model.ts';
import { refusal } from './refusal.ts';
import type { DeviceNumber, OciBlockIo, OciCpu, OciMemory, OciResources } from './types.ts';

type Limits = Omit<OciResources, 'devices'>;

const defaultPeriodUs = 100_000;
/** What the kernel gives a cgroup that nobody set. */
const defaultShares = 1_024;
const defaultWeight = 500;

/** What of a machine decides how limits are written. */
export interface LimitGround {
  readonly cgroups: 1 | 2;
  /** By path of a block device. */
  readonly blockDevices: Readonly<Record<string, DeviceNumber>>;
  /** Whether the kernel counts swap at all. */
  readonly swapCounted: boolean;
}

/** Parts that are absent are the kernel's defaults. HM-CONTAINER-SETTING for what this cgroup version does not have. */
export function limitsOf(settings: ResourceSettings, ground: LimitGround): Limits {
  mustExist(settings, ground.cgroups);
  const memory = memoryOf(settings, ground);
  const cpu = cpuOf(settings);
  const blockIO = blockIoOf(settings, ground);
  const pids = settings.limits?.pids;
  return {
    ...(memory ? { memory } : {}),
    ...(cpu ? { cpu } : {}),
    ...(pids === undefined ? {} : { pids: { limit: pids > 0 ? pids : -1 } }),
    ...(blockIO ? { blockIO } : {}),
  };
}

/** The same for a container that runs: what is no longer limited is said too, because silence changes nothing there. */
export function limitsUpdate(
  settings: ResourceSettings,
  ground: LimitGround & { readonly cpuset: string; readonly weighsDisks: boolean },
): Limits {
  const { memory, cpu, pids, blockIO } = limitsOf(settings, ground);
  const weight = blockIO?.weight;
  return {
    memory: {
      limit: -1,
      ...(ground.swapCounted ? { swap: -1 } : {}),
      // On v2 this is a protection: one byte is none, and the largest number would be all.
      reservation: ground.cgroups === 2 ? 1 : -1,
      ...withoutSwappiness(memory),
    },
    cpu: {
      ...{ shares: defaultShares, quota: -1, period: defaultPeriodUs },
      ...(ground.cpuset === '' ? {} : { cpus: ground.cpuset }),
      ...cpu,
    },
    pids: pids ?? { limit: -1 },
    ...(ground.weighsDisks || weight !== undefined ? { blockIO: { weight: weight ?? defaultWeight } } : {}),
  };
}

/** The part that is set once, at the create: a change of it makes another container. */
export function fixedResources(settings: ResourceSettings | undefined): object {
  const { memorySwappiness, cpuRealtimePeriodUs, cpuRealtimeRuntimeUs, blkio } = settings ?? {};
  const { weight: _weight, ...perDevice } = blkio ?? {};
  const fixed = {
    ...(memorySwappiness === undefined ? {} : { memorySwappiness }),
    ...(cpuRealtimePeriodUs === undefined ? {} : { cpuRealtimePeriodUs }),
    ...(cpuRealtimeRuntimeUs === undefined ? {} : { cpuRealtimeRuntimeUs }),
    ...(Object.keys(perDevice).length === 0 ? {} : { blkio: perDevice }),
  };
  return fixed;
}

/** Of what can be changed while it runs: what a container was last given. Reservations of cpu are the scheduler's alone. */
export function resourcesMark(settings: ResourceSettings | undefined): string {
  const { limits, reservations, memorySwapBytes, cpuShares, cpuQuotaUs, cpuPeriodUs, cpuset, blkio } =
    settings ?? {};
  const changeable = {
    limits,
    reserved: reservations?.memoryBytes,
    memorySwapBytes,
    cpuShares,
    cpuQuotaUs,
    cpuPeriodUs,
    cpuset,
    weight: blkio?.weight,
  };
  return hashValue(JSON.parse(JSON.stringify(changeable)));
}

function mustExist(settings: ResourceSettings, cgroups: 1 | 2): void {
  if (cgroups === 1) return;
  const lacking = (['memorySwappiness', 'cpuRealtimePeriodUs', 'cpuRealtimeRuntimeUs'] as const).find(
    (name) => settings[name] !== undefined,
  );
  if (lacking) throw refusal(words[lacking], 'cgroup v2 of this machine does not have it');
}

const words = {
  memorySwappiness: 'mem_swappiness',
  cpuRealtimePeriodUs: 'cpu_rt_period',
  cpuRealtimeRuntimeUs: 'cpu_rt_runtime',
} as const;

/** Without a word about swap there is as much of it again, as Docker users know it. */
function memoryOf(settings: ResourceSettings, { swapCounted }: LimitGround): OciMemory | undefined {
  if (settings.memorySwapBytes !== undefined && !swapCounted)
    throw refusal('memswap_limit', 'the kernel of this machine does not count swap');
  const limit = settings.limits?.memoryBytes;
  const swap = settings.memorySwapBytes ?? (limit === undefined || !swapCounted ? undefined : limit * 2);
  const memory: OciMemory = {
    ...(limit === undefined ? {} : { limit }),
    ...(swap === undefined ? {} : { swap }),
    ...(settings.reservations?.memoryBytes === undefined
      ? {}
      : { reservation: settings.reservations.memoryBytes }),
    ...(settings.memorySwappiness === undefined ? {} : { swappiness: settings.memorySwappiness }),
  };
  return Object.keys(memory).length > 0 ? memory : undefined;
}

function withoutSwappiness(memory: OciMemory | undefined): OciMemory {
  const { swappiness: _, ...rest } = memory ?? {};
  return rest;
}

function cpuOf(settings: ResourceSettings): OciCpu | undefined {
  const cpus = settings.limits?.cpus;
  const period = settings.cpuPeriodUs ?? (cpus === undefined ? undefined : defaultPeriodUs);
  const quota =
    settings.cpuQuotaUs ?? (cpus === undefined ? undefined : Math.round(cpus * (period ?? defaultPeriodUs)));
  const cpu: OciCpu = {
    ...(settings.cpuShares === undefined ? {} : { shares: settings.cpuShares }),
    ...(quota === undefined ? {} : { quota }),
    ...(period === undefined ? {} : { period }),
    ...(settings.cpuRealtimeRuntimeUs === undefined
      ? {}
      : { realtimeRuntime: settings.cpuRealtimeRuntimeUs }),
    ...(settings.cpuRealtimePeriodUs === undefined ? {} : { realtimePeriod: settings.cpuRealtimePeriodUs }),
    ...(settings.cpuset === undefined ? {} : { cpus: settings.cpuset }),
  };
  return Object.keys(cpu).length > 0 ? cpu : undefined;
}

function blockIoOf({ blkio }: ResourceSettings, { blockDevices }: LimitGround): OciBlockIo | undefined {
  if (!blkio) return undefined;
  const at = (path: string): DeviceNumber => {
    const number = blockDevices[path];
    if (!number) throw refusal('blkio_config', `${path} is not a block device of this machine`);
    return number;
  };
  const rates = (list: readonly { path: string; rate: number }[] | undefined) =>
    list?.map(({ path, rate }) => ({ ...at(path), rate }));
  const parts = {
    weight: blkio.weight,
    weightDevice: blkio.weightDevices?.map(({ path, weight }) => ({ ...at(path), weight })),
    throttleReadBpsDevice: rates(blkio.readBps),
    throttleWriteBpsDevice: rates(blkio.writeBps),
    throttleReadIOPSDevice: rates(blkio.readIops),
    throttleWriteIOPSDevice: rates(blkio.writeIops),
  };
  const said = Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined));
  return Object.keys(said).length > 0 ? (said as OciBlockIo) : undefined;
}
