/**
 * The links of a node as text for `ip -batch -`, and what `ip -j` says of them. Pure. The alias of a link carries
 * whose it is: names are too short for that, and the kernel keeps it for as long as the link lives.
 */
import { holding, parseAddress, prefixOf } from '../../../../protocols/network/cidr.ts';
import { hashText } from '../../../../protocols/hash.ts';
import { ownHardware } from '../../../../protocols/network/hardware.ts';
import { portPrefix } from '../../../../protocols/network/ruleset.ts';
import type {
  Attachment,
  AttachRequest,
  JoinedNetwork,
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
  return `${portPrefix}${hashText(`${tag}/${id}`).slice(0, 13)}`;
}

/** From the address, so that whoever remembers the address of the run before finds the next one. */
export function hardwareAddress(address: string): string {
  const number = parseAddress(address) ?? 0;
  const bytes = [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256);
  return [ownHardware, ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
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
/** `hivemind/a1/10.42.0.2+172.28.0.5/shop-db-1`: static addresses stand behind the one of the pool. */
const linkAlias = (tag: string, { id, address, networks = [] }: AttachRequest): string =>
  `hivemind/${tag}/${[address, ...fixedOf(networks).map((one) => one.address)].join('+')}/${id}`;

export interface FixedAddress {
  readonly address: string;
  readonly subnet: string;
}

export function fixedOf(networks: readonly JoinedNetwork[]): readonly FixedAddress[] {
  return networks.flatMap(({ address, subnet }) =>
    address === undefined || subnet === undefined ? [] : [{ address, subnet }],
  );
}

/** The attachment that a link's alias tells of; `undefined` for links of others. */
export function attachmentOf(tag: string, link: LinkReport): Attachment | undefined {
  const start = `hivemind/${tag}/`;
  if (!link.ifalias?.startsWith(start)) return undefined;
  const [addresses = '', ...id] = link.ifalias.slice(start.length).split('/');
  const [address = '', ...fixed] = addresses.split('+');
  if (parseAddress(address) === undefined) return undefined;
  return { id: id.join('/'), address, ...(fixed.length > 0 ? { fixed } : {}) };
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
  const hardware = request.hardware ?? hardwareAddress(request.address);
  const peer = `name eth0 address ${hardware} mtu ${node.mtu} netns ${request.pid}`;
  return [
    `link add name ${name} mtu ${node.mtu} type veth peer ${peer}`,
    `link set dev ${name} alias ${linkAlias(node.tag, request)}`,
    ...noLinkLocal(name, ipv6),
    `link set dev ${name} master ${node.bridge} up`,
    // Where the kernel's bridge filter is on, a container reaches itself by a published port through its own link only.
    `link set dev ${name} type bridge_slave hairpin on`,
    ...fixedOf(request.networks ?? []).map(({ address }) => {
      return `route replace ${address}/32 dev ${node.bridge} src ${node.blocks[0].gateway} proto ${routeProtocol}`;
    }),
  ];
}

/** Marks the host's routes to static addresses; no routing daemon has it. */
export const routeProtocol = 143;

/** The host's routes to static addresses that no container has any more. */
export function strayRoutes(json: string, attachments: readonly Attachment[]): readonly string[] {
  const rows = json.trim() === '' ? [] : (JSON.parse(json) as readonly { readonly dst: string }[]);
  const held = new Set(attachments.flatMap(({ fixed = [] }) => fixed));
  return rows.map(({ dst }) => dst.replace(/\/32$/, '')).filter((address) => !held.has(address));
}

/** Other blocks of the node are reached through the host; it is the name server by its address in the first one. */
export function insideBatch(node: NodeNetwork, request: AttachRequest, ipv6: boolean): readonly string[] {
  const { address, networks = [] } = request;
  const own = holding(node.blocks, address);
  if (!own) throw new Error(`${address} is in no block`);
  const { block, gateway } = own;
  return [
    'link set dev lo up',
    ...noLinkLocal('eth0', ipv6),
    `address replace ${address}/${prefixOf(block)} dev eth0`,
    ...fixedOf(networks).map((fixed) => `address replace ${fixed.address}/32 dev eth0`),
    'link set dev eth0 up',
    `route replace default via ${gateway} dev eth0`,
    ...fixedRoutes(node, own, request),
  ];
}

/**
 * A container with a static address shows it to other containers, also in answers of sockets that are bound to none;
 * to the host and the world it shows the one of the pool.
 */
function fixedRoutes(
  { blocks, pool }: NodeNetwork,
  { block, gateway }: NodeBlock,
  { address, networks = [] }: AttachRequest,
): readonly string[] {
  const fixed = fixedOf(networks);
  const [first] = fixed;
  if (!first) return [];
  return [
    ...blocks.map((one) => {
      const way = one.gateway === gateway ? '' : `via ${gateway} `;
      return `route replace ${one.gateway}/32 ${way}dev eth0 src ${address}`;
    }),
    `route replace ${block} dev eth0 proto kernel scope link src ${first.address}`,
    `route replace ${pool} via ${gateway} dev eth0 src ${first.address}`,
    ...fixed.map((one) => `route replace ${one.subnet} via ${gateway} dev eth0 src ${one.address}`),
  ];
}
