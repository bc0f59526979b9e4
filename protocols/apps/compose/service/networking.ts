/** Keys about where a service is on the network and what it calls others: networks, mode, hosts, resolver. */
import type { NameSettings, NetworkAttachment } from '../../service-model.ts';
import type { ComposeNode, Place } from '../document.ts';
import {
  inside,
  mistyped,
  readDistinct,
  readKeys,
  readMap,
  readSigned,
  readText,
  readTextOrTexts,
  refuse,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import { hardwareOf, ownHardware } from '../../../network/hardware.ts';
import { isIp, isIpv4 } from '../values.ts';
import { into, type ServiceDraft } from './draft.ts';

export const networkingKeys: KeyTable<ServiceDraft> = {
  network_mode: readNetworkMode,
  networks: (draft, node, scope) => {
    draft.networksAt = node.at;
    draft.networks = readNetworks(scope, node);
  },
  mac_address: (draft, node, scope) => (draft.macAddress = readMac(scope, node)),
  container_name: (draft, node, scope) => {
    const text = readText(scope, node);
    if (text === undefined || /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(text)) draft.containerName = text;
    else refuse(scope, node.at, `${JSON.stringify(text)} is not a container's name`);
  },
  expose: (_draft, node, scope) => {
    for (const text of readDistinct(scope, node) ?? [])
      if (!/^\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?$/.test(text))
        refuse(scope, node.at, `${text} is not a port`);
  },
  extra_hosts: into('names', 'extraHosts', readExtraHosts),
  dns: into('names', 'dns', (scope, node) => {
    const servers = readTextOrTexts(scope, node);
    const wrong = servers?.find((server) => !isIp(server));
    return wrong === undefined ? servers : refuse(scope, node.at, `${wrong} is not an address`);
  }),
  dns_search: into('names', 'dnsSearch', readTextOrTexts),
  dns_opt: into('names', 'dnsOptions', readDistinct),
};

function readNetworkMode(draft: ServiceDraft, node: ComposeNode, scope: Scope): void {
  const mode = readText(scope, node);
  if (mode === undefined) return;
  draft.networkModeAt = node.at;
  if (mode === 'host' || mode === 'none') draft.networkMode = mode;
  else if (isLent(mode)) draft.networkMode = mode;
  else if (mode.startsWith('container:'))
    refuse(scope, node.at, 'a container is no part of the app', 'Write service:NAME.');
  else if (mode !== 'bridge' && mode !== 'default')
    refuse(scope, node.at, 'must be host, none, bridge or service:NAME');
}

const isLent = (mode: string): mode is `service:${string}` => /^service:.+$/s.test(mode);

const macPattern = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;

/** Not a group's address: no container could have it. */
function readMac(scope: Scope, node: ComposeNode): string | undefined {
  const text = readText(scope, node)?.toLowerCase().replaceAll('-', ':');
  if (text === undefined) return undefined;
  if (!macPattern.test(text) || (Number.parseInt(text.slice(0, 2), 16) & 1) === 1 || /^[0:]+$/.test(text))
    return mistyped(scope, node, 'the MAC address of one machine, as in 02:42:ac:11:00:02');
  if (text.startsWith(ownHardware))
    return refuse(scope, node.at, `${ownHardware}:… are the MAC addresses that Hivemind gives out`);
  return text;
}

type Draft = { -readonly [K in keyof NetworkAttachment]: NetworkAttachment[K] | undefined };

const attachmentKeys: KeyTable<Draft> = {
  aliases: (draft, node, scope) => (draft.aliases = readDistinct(scope, node)),
  ipv4_address: (draft, node, scope) => {
    const text = readText(scope, node);
    if (text === undefined || isIpv4(text)) draft.ipv4Address = text;
    else refuse(scope, node.at, `${text} is not an IPv4 address`);
  },
  mac_address: (draft, node, scope) => (draft.macAddress = readMac(scope, node)),
  priority: (draft, node, scope) => (draft.priority = readSigned(scope, node, -1_000_000, 1_000_000)),
};

/** A list of names, or a map whose values may be empty. */
function readNetworks(scope: Scope, node: ComposeNode): ReadonlyMap<string, NetworkAttachment> {
  const networks = new Map<string, NetworkAttachment>();
  if (node.kind === 'list') {
    for (const name of readDistinct(scope, node) ?? []) networks.set(name, {});
    return networks;
  }
  for (const { key, value } of readMap(scope, node)?.entries ?? []) {
    const at = inside(scope, key);
    const draft: Draft = {};
    const map = value.kind === 'scalar' && value.value === null ? undefined : readMap(at, value);
    if (map) readKeys(at, map, 'services.networks', attachmentKeys, draft);
    networks.set(key, Object.fromEntries(Object.entries(draft).filter(([, field]) => field !== undefined)));
  }
  return networks;
}

/** `HOST:ADDRESS`, `HOST=ADDRESS`, or a map with one address or several; IPv6 may stand in brackets. */
function readExtraHosts(scope: Scope, node: ComposeNode): NameSettings['extraHosts'] {
  const hosts: { host: string; address: string }[] = [];
  const add = (at: Scope, place: Place, host: string, written: string): void => {
    const address = written.replace(/^\[(.*)\]$/, '$1');
    if (!/^[\w.-]+$/.test(host)) refuse(at, place, `${JSON.stringify(host)} is not the name of a host`);
    else if (address !== 'host-gateway' && !isIp(address)) refuse(at, place, `${address} is not an address`);
    else hosts.push({ host, address });
  };
  if (node.kind === 'map') {
    for (const { key, keyAt, value } of node.entries)
      for (const text of readTextOrTexts(inside(scope, key), value) ?? []) add(scope, keyAt, key, text);
    return hosts;
  }
  for (const text of readDistinct(scope, node) ?? []) {
    const [, host, address] = /^([^:=]*)[:=](.*)$/.exec(text) ?? [];
    if (host === undefined || address === undefined) refuse(scope, node.at, `${text} is not HOST:ADDRESS`);
    else add(scope, node.at, host, address);
  }
  return hosts;
}

/** `container_name` is a name in every network; `mac_address` is for the one that is joined first. */
export function networksOf(draft: ServiceDraft): Readonly<Record<string, NetworkAttachment>> | undefined {
  const { containerName, macAddress, networkMode, networks } = draft;
  if (networkMode !== 'app') return undefined;
  if (!networks && containerName === undefined && macAddress === undefined) return undefined;
  const joined = [...(networks ?? new Map<string, NetworkAttachment>([['default', {}]]))];
  const [first] = joined.toSorted(([, a], [, b]) => (b.priority ?? 0) - (a.priority ?? 0));
  return Object.fromEntries(
    joined.map(([name, attachment]) => [
      name,
      {
        ...attachment,
        ...(containerName === undefined || containerName === draft.name
          ? {}
          : { aliases: [...new Set([...(attachment.aliases ?? []), containerName])] }),
        ...(macAddress !== undefined && name === first?.[0] && attachment.macAddress === undefined
          ? { macAddress }
          : {}),
      },
    ]),
  );
}

/** A container has one interface for all its networks. */
export function warnOfHardware(scope: Scope, draft: ServiceDraft, at: Place): void {
  const warn = (text: string, hint?: string): void =>
    scope.problems.warn('HM-COMPOSE-KEY', draft.networksAt ?? at, `${scope.path}: ${text}`, hint);
  if (draft.macAddress !== undefined && draft.networkMode !== 'app')
    warn(`mac_address has no effect with network_mode ${draft.networkMode}`, 'Remove mac_address.');
  const networks = networksOf(draft);
  const taken = hardwareOf(networks);
  const wanted = [draft.macAddress, ...Object.values(networks ?? {}).map(({ macAddress }) => macAddress)];
  const lost = wanted.find((one) => one !== undefined && one !== taken);
  if (taken !== undefined && lost !== undefined)
    warn(`one interface has one MAC address: ${taken}, not ${lost}`, 'Keep one of the two.');
}
