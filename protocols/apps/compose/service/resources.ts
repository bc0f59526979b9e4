/** Keys that bound or reserve CPU, memory, processes and disk, beside those of `deploy.resources`. */
import type { BlkioSettings } from '../../service-model.ts';
import type { ComposeNode } from '../document.ts';
import {
  inside,
  mistyped,
  readAbsolute,
  readBytes,
  readInteger,
  readKeys,
  readList,
  readMap,
  readNumber,
  readSigned,
  readText,
  refuse,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import { parseDuration } from '../values.ts';
import { agreeing, into, type ServiceDraft } from './draft.ts';

const most = Number.MAX_SAFE_INTEGER;

export const resourceKeys: KeyTable<ServiceDraft> = {
  cpus: agreeing('limits', 'cpus', readCpus),
  mem_limit: agreeing('limits', 'memoryBytes', readMemory),
  pids_limit: agreeing('limits', 'pids', readPids),
  mem_reservation: agreeing('reservations', 'memoryBytes', readMemory),
  memswap_limit: into('resources', 'memorySwapBytes', (scope, node) =>
    node.kind === 'scalar' && node.text === '-1' ? -1 : readMemory(scope, node),
  ),
  mem_swappiness: into('resources', 'memorySwappiness', (scope, node) => readInteger(scope, node, 0, 100)),
  cpu_shares: into('resources', 'cpuShares', (scope, node) => readInteger(scope, node, 0, 262_144)),
  cpu_quota: into('resources', 'cpuQuotaUs', (scope, node) => readSigned(scope, node, -1, most)),
  cpu_period: into('resources', 'cpuPeriodUs', readMicroseconds),
  cpu_rt_runtime: into('resources', 'cpuRealtimeRuntimeUs', readMicroseconds),
  cpu_rt_period: into('resources', 'cpuRealtimePeriodUs', readMicroseconds),
  cpuset: into('resources', 'cpuset', (scope, node) => {
    const text = readText(scope, node);
    return text === undefined || /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(text)
      ? text
      : mistyped(scope, node, 'CPUs like 0-3 or 0,2');
  }),
  blkio_config: into('resources', 'blkio', readBlkio),
};

/** 0 is Docker's word for no bound. */
export function readCpus(scope: Scope, node: ComposeNode): number | undefined {
  return readNumber(scope, node, 0, 100_000) || undefined;
}

export function readMemory(scope: Scope, node: ComposeNode): number | undefined {
  return readBytes(scope, node) || undefined;
}

/** -1 and 0 are Docker's words for no bound. */
export function readPids(scope: Scope, node: ComposeNode): number | undefined {
  const pids = readSigned(scope, node, -1, 4_194_304);
  return pids === 0 ? -1 : pids;
}

function readMicroseconds(scope: Scope, node: ComposeNode): number | undefined {
  const text = node.kind === 'scalar' ? node.text : '';
  const ms = /^\d+$/.test(text) ? undefined : parseDuration(text);
  return ms === undefined ? readInteger(scope, node, 0, most) : ms * 1_000;
}

type Draft = { -readonly [K in keyof BlkioSettings]: BlkioSettings[K] };
type Field = 'readBps' | 'writeBps' | 'readIops' | 'writeIops';

const rates =
  (field: Field, read: (scope: Scope, node: ComposeNode) => number | undefined) =>
  (draft: Draft, node: ComposeNode, scope: Scope): void => {
    draft[field] = readDevices(scope, node, 'services.blkio_config.device', 'rate', read).map(
      ({ path, value }) => ({ path, rate: value }),
    );
  };
const readIops = (scope: Scope, node: ComposeNode) => readInteger(scope, node, 0, most);
const readWeight = (scope: Scope, node: ComposeNode) => readInteger(scope, node, 10, 1_000);

const blkioKeys: KeyTable<Draft> = {
  weight: (draft, node, scope) => {
    const weight = readWeight(scope, node);
    if (weight !== undefined) draft.weight = weight;
  },
  weight_device: (draft, node, scope) => {
    const section = 'services.blkio_config.weight_device';
    draft.weightDevices = readDevices(scope, node, section, 'weight', readWeight).map(({ path, value }) => ({
      path,
      weight: value,
    }));
  },
  device_read_bps: rates('readBps', readBytes),
  device_write_bps: rates('writeBps', readBytes),
  device_read_iops: rates('readIops', readIops),
  device_write_iops: rates('writeIops', readIops),
};

function readBlkio(scope: Scope, node: ComposeNode): BlkioSettings | undefined {
  const map = readMap(scope, node);
  const draft: Draft = {};
  if (map) readKeys(scope, map, 'services.blkio_config', blkioKeys, draft);
  return map && draft;
}

function readDevices(
  scope: Scope,
  node: ComposeNode,
  section: 'services.blkio_config.device' | 'services.blkio_config.weight_device',
  key: string,
  read: (scope: Scope, node: ComposeNode) => number | undefined,
): { path: string; value: number }[] {
  const table: KeyTable<{ path?: string | undefined; value?: number | undefined }> = {
    path: (draft, item, at) => (draft.path = readAbsolute(at, item)),
    [key]: (draft, item, at) => (draft.value = read(at, item)),
  };
  return (readList(scope, node)?.items ?? []).flatMap((item, index) => {
    const at = inside(scope, index);
    const map = readMap(at, item);
    const draft: { path?: string | undefined; value?: number | undefined } = {};
    if (map) readKeys(at, map, section, table, draft);
    const lacking = map && ['path', key].find((name) => !map.entries.some((entry) => entry.key === name));
    if (lacking) refuse(at, item.at, `${lacking} is missing`);
    const { path, value } = draft;
    return path === undefined || value === undefined ? [] : [{ path, value }];
  });
}
