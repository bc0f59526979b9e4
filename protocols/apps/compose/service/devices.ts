/** `devices:`, `device_cgroup_rules:` and `gpus:` of a service; `devices` of its reservations are GPUs too. */
import { limits } from '../../../limits.ts';
import type { DeviceSpec, GpuRequest } from '../../service-model.ts';
import type { ComposeNode, MapNode } from '../document.ts';
import {
  inside,
  mistyped,
  readAbsolute,
  readInteger,
  readDistinct,
  readKeys,
  readList,
  readMap,
  readText,
  readTexts,
  refuse,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import { resolvePath } from '../values.ts';
import { into, type ServiceDraft } from './draft.ts';

export const deviceKeys: KeyTable<ServiceDraft> = {
  devices: into('isolation', 'devices', (scope, node) =>
    readList(scope, node)?.items.flatMap((item, index) => readDevice(inside(scope, index), item) ?? []),
  ),
  device_cgroup_rules: into('isolation', 'deviceCgroupRules', readRules),
  gpus: (draft, node, scope) => addGpus(draft, readGpus(scope, node)),
};

interface Draft {
  source?: string | undefined;
  target?: string | undefined;
  permissions?: string | undefined;
}

const keys: KeyTable<Draft> = {
  source: (draft, node, scope) => (draft.source = readText(scope, node)),
  target: (draft, node, scope) => (draft.target = readAbsolute(scope, node)),
  permissions: (draft, node, scope) => (draft.permissions = readText(scope, node)),
};

/** `SOURCE[:TARGET[:PERMISSIONS]]` or the long form; without a target it is where it was. */
function readDevice(scope: Scope, node: ComposeNode): DeviceSpec | undefined {
  const draft: Draft = node.kind === 'map' ? longForm(scope, node) : shortForm(scope, node);
  const { source, permissions = 'rwm' } = draft;
  if (source === undefined) return undefined;
  if (!source.startsWith('/')) {
    const hint = 'Give the device nodes themselves, as in /dev/dri.';
    return refuse(scope, node.at, `${source} is not the absolute path of a device`, hint);
  }
  const target = draft.target ?? source;
  if (!target.startsWith('/')) return refuse(scope, node.at, `${target} is not an absolute path`);
  if (!/^[rwm]{1,3}$/.test(permissions)) return refuse(scope, node.at, `${permissions} is not of r, w and m`);
  return { source: resolvePath('/', source), target: resolvePath('/', target), permissions };
}

function longForm(scope: Scope, node: MapNode): Draft {
  const draft: Draft = {};
  readKeys(scope, node, 'services.devices', keys, draft);
  if (!node.entries.some((entry) => entry.key === 'source')) refuse(scope, node.at, 'source is missing');
  return draft;
}

function shortForm(scope: Scope, node: ComposeNode): Draft {
  const [source, second, third, ...more] = readText(scope, node)?.split(':') ?? [];
  if (more.length > 0) return mistyped(scope, node, 'SOURCE:TARGET:rwm') ?? {};
  // Docker takes permissions in the target's place too.
  if (third === undefined && second !== undefined && /^[rwm]{1,3}$/.test(second))
    return { source, permissions: second };
  return { source, target: second, permissions: third };
}

function readRules(scope: Scope, node: ComposeNode): readonly string[] | undefined {
  const list = readList(scope, node);
  const rules = list && readTexts(scope, list);
  const wrong = rules?.find((rule) => !/^[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(rule));
  return wrong === undefined ? rules : refuse(scope, node.at, `${wrong} is not a rule like c 189:* rmw`);
}

/** In `deploy.resources.reservations`, where devices other than GPUs could be meant. */
export function readReserved(draft: ServiceDraft, node: ComposeNode, scope: Scope): void {
  const requests = readList(scope, node)?.items.flatMap((item, index) => {
    const at = inside(scope, index);
    const request = readRequest(at, item);
    if (!request || request.driver === 'cdi' || request.capabilities?.includes('gpu')) return request ?? [];
    const wanted = request.capabilities?.join(', ') ?? 'no capabilities';
    refuse(at, item.at, `devices of ${wanted} are not given`, 'GPUs are: capabilities: [gpu].');
    return [];
  });
  addGpus(draft, requests);
}

function addGpus(draft: ServiceDraft, requests: readonly RequestDraft[] = []): void {
  const more = requests.map(({ driver, count, ids }): GpuRequest => ({
    ...(driver === undefined ? {} : { driver }),
    ...(count === undefined ? {} : { count }),
    ...(ids === undefined ? {} : { ids }),
  }));
  if (more.length > 0) draft.isolation.gpus = [...(draft.isolation.gpus ?? []), ...more];
}

interface RequestDraft {
  driver?: string | undefined;
  count?: number | undefined;
  ids?: readonly string[] | undefined;
  capabilities?: readonly string[] | undefined;
}

/** `all`, a number, or requests one by one. */
function readGpus(scope: Scope, node: ComposeNode): readonly RequestDraft[] | undefined {
  if (node.kind === 'list')
    return readList(scope, node)?.items.flatMap(
      (item, index) => readRequest(inside(scope, index), item) ?? [],
    );
  if (node.kind === 'map') return mistyped(scope, node, 'all, a number or a list');
  return [{ count: readCount(scope, node) }];
}

/** All of them: `all`, or Docker's -1. */
function readCount(scope: Scope, node: ComposeNode): number | undefined {
  const text = readText(scope, node);
  if (text === undefined || text === 'all' || text === '-1') return undefined;
  return readInteger(scope, node, 1, limits.composeItems);
}

const requestKeys: KeyTable<RequestDraft> = {
  driver: (draft, node, scope) => (draft.driver = readText(scope, node) || undefined),
  count: (draft, node, scope) => (draft.count = readCount(scope, node)),
  device_ids: (draft, node, scope) => (draft.ids = readDistinct(scope, node)),
  capabilities: (draft, node, scope) => (draft.capabilities = readDistinct(scope, node)),
};

function readRequest(scope: Scope, node: ComposeNode): RequestDraft | undefined {
  const map = readMap(scope, node);
  if (!map) return undefined;
  const draft: RequestDraft = {};
  readKeys(scope, map, 'services.gpus', requestKeys, draft);
  const { driver, ids, count } = draft;
  if (ids?.length === 0) return refuse(scope, node.at, 'device_ids is empty', 'Remove it for all of them.');
  if (ids && count !== undefined)
    return refuse(scope, node.at, 'count and device_ids exclude each other', 'Keep one of the two.');
  const unqualified = ids?.find((id) => !/^[^/=]+\/[^/=]+=[^=]+$/.test(id));
  if (driver === 'cdi' && (!ids || unqualified !== undefined))
    return refuse(scope, node.at, 'the driver cdi needs device_ids like nvidia.com/gpu=0');
  return draft;
}
