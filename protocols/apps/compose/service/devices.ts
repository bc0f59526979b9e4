/** `devices:` and `device_cgroup_rules:` of a service. */
import type { DeviceSpec } from '../../service-model.ts';
import type { ComposeNode, MapNode } from '../document.ts';
import {
  inside,
  mistyped,
  readAbsolute,
  readKeys,
  readList,
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
