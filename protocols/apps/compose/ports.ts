/** `ports:` in its short and long forms. */
import { limits } from '../../limits.ts';
import type { PortSpec } from '../model.ts';
import type { ComposeNode } from './document.ts';
import {
  inside,
  mistyped,
  readInteger,
  readKeys,
  readList,
  readText,
  refuse,
  type KeyTable,
  type Scope,
} from './readers.ts';

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

/** `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`; HOST and CONTAINER may be ranges of equal length. */
function shortForm(scope: Scope, node: ComposeNode): PortSpec[] {
  const text = node.kind === 'scalar' && node.value !== null ? node.text : undefined;
  if (text === undefined) return mistyped(scope, node, 'a text like 8080:80') ?? [];
  const [mapping = '', protocol = 'tcp', ...more] = text.split('/');
  if (more.length > 0 || !isProtocol(protocol))
    return refuse(scope, node.at, `${protocol} is neither tcp nor udp`) ?? [];
  if (mapping.includes('[') || mapping.split(':').length > 3) {
    return (
      refuse(scope, node.at, 'IPv6 addresses cannot be published yet', 'Name an IPv4 address or none.') ?? []
    );
  }
  const parts = mapping.split(':');
  const container = range(parts.pop()!);
  const published = parts.pop();
  if (published === undefined || published === '') return randomPort(scope, node);
  const host = range(published);
  const address = parts.pop() ?? anyAddress;
  if (!container || !host) return mistyped(scope, node, 'ports between 1 and 65535 like 8080:80') ?? [];
  if (!isAddress(address)) return refuse(scope, node.at, `${address} is not an IPv4 address`) ?? [];
  if (container.length !== host.length) {
    return (
      refuse(scope, node.at, 'both ranges must have the same length', 'Write each port as its own entry.') ??
      []
    );
  }
  return Array.from({ length: host.length }, (_, i) => ({
    hostAddress: address,
    hostPort: host.first + i,
    containerPort: container.first + i,
    protocol,
  }));
}

function randomPort(scope: Scope, node: ComposeNode): PortSpec[] {
  const hint =
    'Write HOST:CONTAINER, as in 8080:80. Inside the app every port is reachable without an entry.';
  return refuse(scope, node.at, 'a host port chosen at random is not supported', hint) ?? [];
}

interface LongDraft {
  target?: number | undefined;
  published?: number | undefined;
  address?: string;
  protocol?: 'tcp' | 'udp';
}

const longKeys: KeyTable<LongDraft> = {
  target: (draft, node, scope) => (draft.target = readInteger(scope, node, 1, 65_535)),
  published: (draft, node, scope) => (draft.published = readInteger(scope, node, 1, 65_535)),
  host_ip: (draft, node, scope) => {
    const text = readText(scope, node);
    if (text === undefined) return;
    if (isAddress(text)) draft.address = text;
    else refuse(scope, node.at, `${text} is not an IPv4 address`);
  },
  protocol: (draft, node, scope) => {
    const text = readText(scope, node);
    if (text === undefined) return;
    if (isProtocol(text)) draft.protocol = text;
    else refuse(scope, node.at, `${text} is neither tcp nor udp`);
  },
};
const laterLongKeys = new Set(['mode', 'name', 'app_protocol']);

function longForm(scope: Scope, node: ComposeNode & { kind: 'map' }): PortSpec[] {
  const draft: LongDraft = {};
  readKeys(scope, node, longKeys, draft, laterLongKeys);
  const has = (key: string): boolean => node.entries.some((entry) => entry.key === key);
  if (!has('target')) refuse(scope, node.at, 'target is missing');
  if (!has('published')) return randomPort(scope, node);
  if (draft.target === undefined || draft.published === undefined) return [];
  return [
    {
      hostAddress: draft.address ?? anyAddress,
      hostPort: draft.published,
      containerPort: draft.target,
      protocol: draft.protocol ?? 'tcp',
    },
  ];
}

const isProtocol = (text: string): text is 'tcp' | 'udp' => text === 'tcp' || text === 'udp';

const isAddress = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255);

function range(text: string): { first: number; length: number } | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first >= 1 && last >= first && last <= 65_535 ? { first, length: last - first + 1 } : undefined;
}
