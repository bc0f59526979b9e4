/**
 * The links of a node as text for `ip -batch -`, and what `ip -j` says of them. Pure. The alias of a link carries
 * whose it is: names are too short for that, and the kernel keeps it for as long as the link lives.
 */
import { parseAddress, prefixOf } from '../../../../protocols/network/cidr.ts';
import { hashText } from '../../../../protocols/hash.ts';
import type {
  Attachment,
  AttachRequest,
  NodeBlock,
  NodeNetwork,
} from '../../../../protocols/network/model.ts';

/** Of what `ip -j -d address` says about a link, the parts that matter here. */
export interface LinkReport {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address?: string;
  readonly ifalias?: string;
  readonly master?: string;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
  }[];
}

export function parseReports(json: string): readonly LinkReport[] {
  return json.trim() === '' ? [] : (JSON.parse(json) as LinkReport[]).filter((link) => link.ifname);
}

/** The host's end of a container's link: 15 characters are all that Linux allows. */
export function linkName(tag: string, id: string): string {
  return `hv${hashText(`${tag}/${id}`).slice(0, 13)}`;
}

/** From the address, so that whoever remembers the address of the run before finds the next one. */
export function hardwareAddress(address: string): string {
  const number = parseAddress(address) ?? 0;
  const bytes = [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256);
  return ['02', '68', ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

export const bridgeAlias = (tag: string): string => `hivemind/${tag}`;
/** Behind the alias of a bridge: which switches of the machine stood otherwise before, `+forwarding+redirects`. */
export const switchNames = ['forwarding', 'redirects'] as const;
export type SwitchName = (typeof switchNames)[number];

export function markedAlias(tag: string, switched: readonly SwitchName[]): string {
  const marks = switchNames.filter((name) => switched.includes(name)).map((name) => `+${name}`);
  return [bridgeAlias(tag), ...marks].join('');
}

/** What a node's bridge remembers; `undefined` for links that are not this node's bridge. */
export function switchedBy(tag: string, { ifalias = '' }: LinkReport): readonly SwitchName[] | undefined {
  const [alias, ...marks] = ifalias.split('+');
  return alias === bridgeAlias(tag) ? switchNames.filter((name) => marks.includes(name)) : undefined;
}

export const isBridgeOf = (tag: string, link: LinkReport): boolean => switchedBy(tag, link) !== undefined;
const linkAlias = (tag: string, { id, address }: Attachment): string => `hivemind/${tag}/${address}/${id}`;

/** The attachment that a link's alias tells of; `undefined` for links of others. */
export function attachmentOf(tag: string, link: LinkReport): Attachment | undefined {
  const start = `hivemind/${tag}/`;
  if (!link.ifalias?.startsWith(start)) return undefined;
  const [address = '', ...id] = link.ifalias.slice(start.length).split('/');
  return parseAddress(address) === undefined ? undefined : { id: id.join('/'), address };
}

/** IPv6 makes up addresses by itself; Hivemind gives none out. */
const noLinkLocal = (name: string, ipv6: boolean): readonly string[] =>
  ipv6 ? [`link set dev ${name} addrgenmode none`] : [];

/** What brings the bridge from what is there to what is wished; empty when nothing differs. */
export function bridgeBatch(
  node: NodeNetwork,
  found: LinkReport | undefined,
  ipv6: boolean,
): readonly string[] {
  const { bridge, mtu, blocks } = node;
  const [{ gateway }] = blocks;
  const wanted = blocks.map((one) => `${one.gateway}/${prefixOf(one.block)}`);
  const lines: string[] = [];
  if (!found) {
    // A fixed hardware address: else it changes with the ports that come and go.
    lines.push(`link add name ${bridge} address ${hardwareAddress(gateway)} mtu ${mtu} type bridge`);
    lines.push(...noLinkLocal(bridge, ipv6));
  } else {
    if (found.address !== hardwareAddress(gateway)) {
      lines.push(`link set dev ${bridge} address ${hardwareAddress(gateway)}`);
    }
    if (found.mtu !== mtu) lines.push(`link set dev ${bridge} mtu ${mtu}`);
  }
  if (!found || !isBridgeOf(node.tag, found)) {
    lines.push(`link set dev ${bridge} alias ${bridgeAlias(node.tag)}`);
  }
  const held = (found?.addr_info ?? [])
    .filter(({ family }) => family === 'inet')
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  for (const other of held.filter((one) => !wanted.includes(one))) {
    lines.push(`address delete ${other} dev ${bridge}`);
  }
  for (const missing of wanted.filter((one) => !held.includes(one))) {
    lines.push(`address add ${missing} dev ${bridge}`);
  }
  if (!found?.flags.includes('UP')) lines.push(`link set dev ${bridge} up`);
  return lines;
}

/** On the host's side: the other end is born inside the container's namespace, under its final name. */
export function outsideBatch(node: NodeNetwork, request: AttachRequest, ipv6: boolean): readonly string[] {
  const name = linkName(node.tag, request.id);
  const peer = `name eth0 address ${hardwareAddress(request.address)} mtu ${node.mtu} netns ${request.pid}`;
  return [
    `link add name ${name} mtu ${node.mtu} type veth peer ${peer}`,
    `link set dev ${name} alias ${linkAlias(node.tag, request)}`,
    ...noLinkLocal(name, ipv6),
    `link set dev ${name} master ${node.bridge} up`,
    // Where the kernel's bridge filter is on, a container reaches itself by a published port through its own link only.
    `link set dev ${name} type bridge_slave hairpin on`,
  ];
}

/** `block`: the one that the address lies in. Other blocks of the node are reached through the host. */
export function insideBatch(
  { block, gateway }: NodeBlock,
  { address }: AttachRequest,
  ipv6: boolean,
): readonly string[] {
  return [
    'link set dev lo up',
    ...noLinkLocal('eth0', ipv6),
    `address replace ${address}/${prefixOf(block)} dev eth0`,
    'link set dev eth0 up',
    `route replace default via ${gateway} dev eth0`,
  ];
}
