/** `networks:` of a file. */
import type { NetworkSpec } from '../../service-model.ts';
import type { ComposeNode } from '../document.ts';
import {
  inside,
  mistyped,
  readBoolean,
  readKeys,
  readList,
  readMap,
  readPairs,
  readText,
  refuse,
  refuseKey,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import { isIpv4 } from '../values.ts';
import { readExternal, type ExternalDraft } from './external.ts';

interface Draft extends ExternalDraft {
  internal?: boolean | undefined;
  subnets: string[];
  labels?: Readonly<Record<string, string>> | undefined;
}

/** More than a bridge does: a service that counts on it would not be where it wants to be. */
const richer = new Set(['macvlan', 'ipvlan', 'host', 'none']);

const keys: KeyTable<Draft> = {
  name: (draft, node, scope) => (draft.name = readText(scope, node)),
  external: (draft, node, scope) => readExternal(draft, node, scope),
  internal: (draft, node, scope) => (draft.internal = readBoolean(scope, node)),
  labels: (draft, node, scope) => (draft.labels = readPairs(scope, node)),
  attachable: (_draft, node, scope) => readBoolean(scope, node),
  enable_ipv6: (_draft, node, scope) => readBoolean(scope, node),
  driver_opts: (_draft, node, scope) => readOptions(scope, node),
  enable_ipv4: (_draft, node, scope) => {
    if (readBoolean(scope, node) === false)
      refuseKey(scope, node.at, { why: 'networks carry IPv4 alone', instead: 'Remove enable_ipv4.' });
  },
  driver: (_draft, node, scope) => {
    const driver = readText(scope, node);
    if (driver === undefined || ['bridge', 'default', ''].includes(driver)) return;
    if (driver === 'overlay')
      scope.problems.warn('HM-COMPOSE-KEY', node.at, `${scope.path}: overlay is a bridge on one node`);
    else {
      const instead =
        driver === 'host' || driver === 'none'
          ? `Write network_mode: ${driver} at the service.`
          : 'Use bridge, and publish ports.';
      const why = richer.has(driver) ? `${driver} does more than a bridge` : `there is no driver ${driver}`;
      refuseKey(scope, node.at, { why, instead });
    }
  },
  ipam: (draft, node, scope) => {
    const map = readMap(scope, node);
    if (map) readKeys(scope, map, 'networks.ipam', ipamKeys, draft);
  },
};

/** Options of Docker's bridge without which something would be open that the file closes. */
const closing: Readonly<
  Record<string, { harmful: (value: string) => boolean; why: string; instead: string }>
> = {
  'com.docker.network.bridge.enable_icc': {
    harmful: (value) => /^(false|0)$/i.test(value),
    why: 'services of one network reach each other',
    instead: 'Give each service a network of its own.',
  },
  'com.docker.network.bridge.host_binding_ipv4': {
    harmful: (value) => value !== '0.0.0.0',
    why: 'ports without an address are published at every address of the node',
    instead: 'Write the address at each port, as in 127.0.0.1:8080:80.',
  },
  'com.docker.network.bridge.gateway_mode_ipv4': {
    harmful: (value) => value === 'isolated',
    why: 'the node is the gateway of every network',
    instead: 'Write internal: true.',
  },
  'com.docker.network.bridge.enable_ip_masquerade': {
    harmful: (value) => /^(false|0)$/i.test(value),
    why: 'what leaves the node has the address of the node',
    instead: 'Write internal: true, if nothing is to leave it.',
  },
};

function readOptions(scope: Scope, node: ComposeNode): void {
  for (const { key, value, keyAt } of readMap(scope, node)?.entries ?? []) {
    const option = Object.hasOwn(closing, key) ? closing[key] : undefined;
    if (option && value.kind === 'scalar' && option.harmful(value.text))
      refuseKey(inside(scope, key), keyAt, option);
  }
}

const ipamKeys: KeyTable<Draft> = {
  driver: (_draft, node, scope) => {
    const driver = readText(scope, node);
    if (driver !== undefined && driver !== 'default')
      refuseKey(scope, node.at, { why: `there is no driver ${driver}`, instead: 'Remove it.' });
  },
  config: (draft, node, scope) => {
    for (const [index, item] of readList(scope, node)?.items.entries() ?? []) {
      const at = inside(scope, index);
      const map = readMap(at, item);
      if (map) readKeys(at, map, 'networks.ipam.config', configKeys, draft);
    }
  },
};

const configKeys: KeyTable<Draft> = {
  subnet: (draft, node, scope) => {
    const subnet = readText(scope, node);
    if (subnet === undefined) return;
    if (subnet.includes(':')) {
      scope.problems.warn('HM-COMPOSE-KEY', node.at, `${scope.path}: networks carry IPv4 alone`);
      return;
    }
    const [address = '', bits = ''] = subnet.split('/');
    if (!isIpv4(address) || !/^\d{1,2}$/.test(bits) || Number(bits) > 30 || Number(bits) < 8)
      mistyped(scope, node, 'a subnet like 172.28.0.0/16');
    else draft.subnets.push(subnet);
  },
};

export function readNetwork(scope: Scope, name: string, node: ComposeNode): NetworkSpec {
  const draft: Draft = { subnets: [] };
  const map = node.kind === 'scalar' && node.value === null ? undefined : readMap(scope, node);
  if (map) readKeys(scope, map, 'networks', keys, draft);
  const { internal, external, name: externalName, subnets, labels } = draft;
  if (external && (internal !== undefined || subnets.length > 0))
    refuse(scope, node.at, 'an external network is made elsewhere: only its name can be given');
  return {
    name,
    ...(internal ? { internal } : {}),
    ...(external ? { external } : {}),
    ...(externalName === undefined ? {} : { externalName }),
    ...(subnets.length > 0 ? { subnets } : {}),
    ...(labels && Object.keys(labels).length > 0 ? { labels } : {}),
  };
}
