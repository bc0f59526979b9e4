/** `ports:` in its short and long forms. */
import { limits } from '../../limits.ts';
import { plainAddress } from '../../network/ipv6.ts';
import type { PortSpec } from '../model.ts';
import type { ComposeNode } from './document.ts';
import {
  inside,
  mistyped,
  oneOf,
  readInteger,
  readKeys,
  readList,
  readText,
  refuse,
  type KeyTable,
  type Scope,
} from './readers.ts';
import { isIp, isIpv4, isIpv6 } from './values.ts';

const anyAddress = '0.0.0.0';

/** All published ports of a service, ranges expanded. */
export function readPorts(scope: Scope, node: ComposeNode): PortSpec[] {
  const ports: PortSpec[] = [];
  for (const [index, item] of readList(scope, node)?.items.entries() ?? []) {
    const at = inside(scope, index);
    ports.push(...(item.kind === 'map' ? longForm(at, item) : shortForm(at, item)));
    if (ports.length > limits.composePorts) break;
  }
  if (ports.length <= limits.composePorts) return ports;
  scope.problems.add(
    'HM-COMPOSE-LIMIT',
    node.at,
    `${scope.path} publishes more than ${limits.composePorts} ports`,
  );
  return [];
}

/** `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`; HOST and CONTAINER may be ranges of equal length, an IPv6 address stands in brackets. */
function shortForm(scope: Scope, node: ComposeNode): PortSpec[] {
  const text = node.kind === 'scalar' && node.value !== null ? node.text : undefined;
  if (text === undefined) return mistyped(scope, node, 'a text like 8080:80') ?? [];
  const [mapping = '', protocol = 'tcp', ...more] = text.split('/');
  if (more.length > 0 || !isProtocol(protocol))
    return refuse(scope, node.at, `${protocol} is neither tcp nor udp`) ?? [];
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]:)?(.*)$/s.exec(mapping) ?? [];
  const parts = plain.split(':');
  const container = range(parts.pop()!);
  const published = parts.pop();
  const named = bracketed ?? parts.pop();
  if (parts.length > 0 || !container) return malformed(scope, node);
  const address = named === undefined || named === '' ? anyAddress : plainAddress(named);
  if (bracketed === undefined ? !isIpv4(address) : !isIpv6(address))
    return refuse(scope, node.at, `${address} is not an IP address`) ?? [];
  if (published === undefined || published === '') return anyPorts({ address, protocol, container });
  const host = range(published);
  if (!host) return malformed(scope, node);
  return pair(scope, node, { address, protocol, host, container });
}

const malformed = (scope: Scope, node: ComposeNode): PortSpec[] =>
  mistyped(scope, node, 'ports between 1 and 65535 like 8080:80') ?? [];

interface Range {
  readonly first: number;
  readonly length: number;
}

function pair(
  scope: Scope,
  node: ComposeNode,
  {
    address,
    protocol,
    host,
    container,
  }: { address: string; protocol: PortSpec['protocol']; host: Range; container: Range },
): PortSpec[] {
  if (container.length === 1 && host.length > 1) {
    const { first, length } = host;
    const among = { range: { first, last: first + length - 1 }, containerPort: container.first };
    return [{ hostAddress: address, hostPort: 0, ...among, protocol }];
  }
  if (container.length !== host.length) {
    const hint = 'Write each port as its own entry.';
    return refuse(scope, node.at, 'both ranges must have the same length', hint) ?? [];
  }
  return Array.from({ length: host.length }, (_, i) => ({
    hostAddress: address,
    hostPort: host.first + i,
    containerPort: container.first + i,
    protocol,
  }));
}

/** Any free port of the host, which the deploy assigns. */
function anyPorts(wish: { address: string; protocol: PortSpec['protocol']; container: Range }): PortSpec[] {
  const { address, protocol, container } = wish;
  return Array.from({ length: container.length }, (_, nth) => ({
    hostAddress: address,
    hostPort: 0,
    containerPort: container.first + nth,
    protocol,
  }));
}

interface LongDraft {
  target?: number | undefined;
  published?: Range | undefined;
  address?: string;
  protocol?: PortSpec['protocol'];
}

const longKeys: KeyTable<LongDraft> = {
  target: (draft, node, scope) => (draft.target = readInteger(scope, node, 1, 65_535)),
  published: (draft, node, scope) => {
    const text = readText(scope, node);
    draft.published = text === undefined ? undefined : range(text);
    if (text !== undefined && !draft.published) mistyped(scope, node, 'a port between 1 and 65535');
  },
  host_ip: (draft, node, scope) => {
    const text = readText(scope, node);
    if (text === undefined) return;
    if (isIp(text)) draft.address = plainAddress(text);
    else refuse(scope, node.at, `${text} is not an IP address`);
  },
  protocol: (draft, node, scope) => {
    const text = readText(scope, node);
    if (text === undefined) return;
    if (isProtocol(text)) draft.protocol = text;
    else refuse(scope, node.at, `${text} is neither tcp nor udp`);
  },
  mode: (_draft, node, scope) => oneOf('host', 'ingress')(scope, node),
};

function longForm(scope: Scope, node: ComposeNode & { kind: 'map' }): PortSpec[] {
  const draft: LongDraft = {};
  readKeys(scope, node, 'services.ports', longKeys, draft);
  const has = (key: string): boolean => node.entries.some((entry) => entry.key === key);
  if (!has('target')) refuse(scope, node.at, 'target is missing');
  const { address = anyAddress, protocol = 'tcp', target, published } = draft;
  if (target === undefined) return [];
  if (!has('published')) return anyPorts({ address, protocol, container: { first: target, length: 1 } });
  if (!published) return [];
  return pair(scope, node, { address, protocol, host: published, container: { first: target, length: 1 } });
}

const isProtocol = (text: string): text is 'tcp' | 'udp' => text === 'tcp' || text === 'udp';

function range(text: string): Range | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first >= 1 && last >= first && last <= 65_535 ? { first, length: last - first + 1 } : undefined;
}
