/**
 * The nftables tables of a node, `ip` and `bridge`, as text for one `nft -f -`, which the kernel takes as one
 * transaction: there is no moment with half of it. Pure. The tables replace themselves; no others are touched.
 *
 * Published ports are DNAT at the host's own addresses, from outside, from containers and from the host itself.
 * A port without backends is refused at once instead of left to hang, or to whatever else listens there.
 *
 * One transaction is not enough for a packet that is under way: it goes on by the rules of before, and the kernel looks
 * up their maps as of now, when they are empty already. After each rule with a map stands what holds without it.
 */
import { coded } from '../errors.ts';
import { hashText } from '../hash.ts';
import { limits } from '../limits.ts';
import { formatAddress, overlap, parseAddress, parseBlock } from './cidr.ts';
import { isIpv6Text } from './ipv6.ts';
import { addressesOf, families, partsOf } from './isolation.ts';
import type { Member, NodeNetwork, Publication } from './model.ts';

const anyAddress = '0.0.0.0';
const loopback = '127.0.0.0/8';
const dnsPort = 53;

interface Kernel {
  /** Zones of its connection tracking; without them a flow of UDP stays with a container that is gone. */
  readonly zones: boolean;
}

interface Published {
  readonly protocol: 'tcp' | 'udp';
  /** `undefined`: every address of the host. */
  readonly address: string | undefined;
  readonly port: number;
  /** `10.42.0.2 . 80`, sorted: the same wish gives the same text. */
  readonly backends: readonly string[];
}

export function tableName(tag: string): string {
  return `hivemind_${tag}`;
}

/** Removes the tables; no error when there are none. */
export function withoutRuleset(tag: string): string {
  const tables = families.map((family) => `table ${family} ${tableName(tag)}`);
  return `${tables.map((table) => `${table}\ndelete ${table}`).join('\n')}\n`;
}

/**
 * Makes a table that stands cover all blocks of the node, whatever it publishes; nft refuses when there is no such
 * table. A life that was not told yet what is published must not write the whole table.
 */
export function coverage(node: NodeNetwork): string {
  checkNode(node);
  return setsOf(node)
    .map(({ name, elements }) => `add element ip ${tableName(node.tag)} ${name} { ${elements.join(', ')} }\n`)
    .join('');
}

function setsOf({ blocks }: NodeNetwork) {
  return [
    { name: 'blocks', type: 'ipv4_addr; flags interval', elements: blocks.map(({ block }) => block) },
    { name: 'gateways', type: 'ipv4_addr', elements: blocks.map(({ gateway }) => gateway) },
  ];
}

/** HM-NETWORK-DRIVER for what is no address, port or name: nothing else may become part of a rule. */
export function rulesetOf(
  node: NodeNetwork,
  publications: readonly Publication[],
  members: readonly Member[] = [],
  kernel: Kernel = { zones: true },
): string {
  checkNode(node);
  for (const member of members) addressesOf(member).forEach(checkAddress);
  const parts = partsOf(members).map(({ kind, name, lines }) => section(kind, name, lines));
  // No rule leads from IPv6 to containers: those ports are the driver's own to listen on.
  const published = distinct(
    publications.filter(({ port }) => !isIpv6Text(port.hostAddress)).map(publishedOf),
  );
  const served = published.filter(({ backends }) => backends.length > 0);
  const empty = published.filter(({ backends }) => backends.length === 0);
  const sets = setsOf(node).map(({ name, type, elements }) =>
    section('set', name, [`type ${type};`, `elements = { ${elements.join(', ')} }`]),
  );
  const ends = [
    ...new Set(served.filter(({ protocol }) => protocol === 'udp').flatMap(({ backends }) => backends)),
  ].sort();
  const anew = kernel.zones ? [`${caller} udp dport @moved ct original zone set ${zoneOf(ends)}`] : [];
  const chains = [
    chain('guard', 'type filter hook prerouting priority raw; policy accept;', [
      // route_localnet on the bridge would let containers reach what listens on the host's loopback only.
      `iifname != "lo" ip saddr ${loopback} drop`,
      `iifname != "lo" ip daddr ${loopback} drop`,
      ...anew,
    ]),
    ...(kernel.zones ? moving(node, ends, anew) : []),
    // Where the kernel's bridge filter is on, translated packets go from port to port: they are not the table's of the bridge.
    chain('translated', 'type filter hook prerouting priority dstnat + 10; policy accept;', [
      `iifname "${node.bridge}" ct status dnat meta mark set meta mark or ${translatedMark}`,
    ]),
    chain('prerouting', 'type nat hook prerouting priority dstnat; policy accept;', [
      'fib daddr type local jump published',
    ]),
    chain('output', 'type nat hook output priority -100; policy accept;', [
      'fib daddr type local jump published',
    ]),
    chain('published', undefined, [
      // The name server stays reachable when somebody publishes its port.
      `ip daddr ${node.blocks[0].gateway} meta l4proto { tcp, udp } th dport ${dnsPort} return`,
      ...dispatch(served),
    ]),
    ...served.map((entry) => chain(chainName(entry), undefined, translation(entry))),
    chain('postrouting', 'type nat hook postrouting priority srcnat; policy accept;', postrouting(node)),
    chain('input', 'type filter hook input priority filter - 10; policy accept;', [
      `iifname != { "lo", "${node.bridge}" } ip daddr @gateways ip saddr != ${node.pool} drop`,
      ...refusals(empty),
      // Who has no way out reaches of the host its name server alone.
      `iifname "${node.bridge}" ip saddr @enclosed ct state new ip daddr @gateways meta l4proto { tcp, udp } th dport ${dnsPort} accept`,
      `iifname "${node.bridge}" ip saddr @enclosed ct state new drop`,
    ]),
    chain('forward', 'type filter hook forward priority filter; policy accept;', forward(node)),
  ];
  const table = (family: string, body: readonly string[]): string =>
    `table ${family} ${tableName(node.tag)} {\n${body.join('\n')}}\n`;
  const bridged = chain('forward', 'type filter hook forward priority filter; policy accept;', [
    `iifname != "${portPrefix}*" accept`,
    `meta mark and ${translatedMark} == ${translatedMark} accept`,
    // Nothing else has addresses that the rules know.
    'ether type != { ip, arp } drop',
    ...sharing,
  ]);
  return `${withoutRuleset(node.tag)}${table('ip', [...sets, ...parts, ...chains])}${table('bridge', [...parts, bridged])}`;
}

/** Of a caller by UDP, whom the kernel would otherwise lead where it led him first, as long as he goes on calling. */
const caller = 'ip saddr . udp sport .';

/**
 * A flow of UDP to a container that is behind no port any more is remembered, at the cost of one packet, and is a new
 * one to the kernel from then on: in a zone of its own, which the backends of now give its number, so that whoever is
 * in it was led to one of them.
 */
function moving({ pool }: NodeNetwork, ends: readonly string[], anew: readonly string[]): readonly string[] {
  const stale = [
    `ct direction original ct status dnat ip daddr ${pool} ip daddr . udp dport != @udp_ends update @moved { ${caller} ct original proto-dst } drop`,
  ];
  return [
    section('set', 'moved', [
      'type ipv4_addr . inet_service . inet_service;',
      `size ${limits.movedFlows};`,
      'flags dynamic, timeout;',
      `timeout ${limits.movedFlowMs / 1_000}s;`,
    ]),
    section('set', 'udp_ends', [
      'type ipv4_addr . inet_service;',
      ...(ends.length > 0 ? [`elements = { ${ends.join(', ')} }`] : []),
    ]),
    chain('leaving', 'type filter hook output priority raw; policy accept;', anew),
    chain('stale', 'type filter hook prerouting priority dstnat + 10; policy accept;', stale),
    chain('stale_own', 'type filter hook output priority -90; policy accept;', stale),
  ];
}

/** 1 to 65535. */
const zoneOf = (ends: readonly string[]): number =>
  1 + (Number.parseInt(hashText(ends.join(', ')).slice(0, 8), 16) % 65_535);

/** Whether the kernel has zones, asked without making anything. */
export function zonesCheck(tag: string): string {
  const rules = chain('guard', 'type filter hook prerouting priority raw; policy accept;', [
    'ct original zone set 1',
  ]);
  return `table ip ${tableName(tag)}_check {\n${rules}}\n`;
}

/** Set on packets of containers that a published port translated. */
const translatedMark = '0x00800000';
/** Of the host's ends of containers' links. */
export const portPrefix = 'hv';

/**
 * A sender of whom nothing is known (of another node, of a daemon before networks) counts as on the open network. Who
 * is on none of it is known, and comes past the map only while the table is written anew.
 */
const sharing = ['ip saddr vmap @sources', 'ip saddr @closed drop', 'ip daddr @closed drop'];

function postrouting(node: NodeNetwork): readonly string[] {
  return [
    // The host asked itself by a loopback address, which must not leave the machine.
    `ip saddr ${loopback} oifname "${node.bridge}" masquerade`,
    // A container that comes by a published port: the answer must come back this way, not directly.
    `ip saddr @blocks ip daddr ${node.pool} ct status dnat masquerade`,
    `ip saddr @blocks ip daddr != ${node.pool} oifname != "${node.bridge}" masquerade`,
    `ip saddr @fixed oifname != "${node.bridge}" masquerade`,
  ];
}

/** From outside the pool only published ports lead to containers, although the machine forwards packets. */
function forward(node: NodeNetwork): readonly string[] {
  return [
    `ip saddr @enclosed oifname != "${node.bridge}" drop`,
    `oifname != "${node.bridge}" accept`,
    'ct state established,related accept',
    'ip daddr @enclosed ct status dnat drop',
    'ct status dnat accept',
    ...sharing,
    `ip saddr ${node.pool} accept`,
    'drop',
  ];
}

function publishedOf({ port, backends }: Publication): Published {
  const address = checkAddress(port.hostAddress);
  return {
    protocol: port.protocol === 'udp' ? 'udp' : 'tcp',
    address: address === anyAddress ? undefined : address,
    port: checkPort(port.hostPort),
    backends: [
      ...new Set(backends.map((end) => `${checkAddress(end.address)} . ${checkPort(end.port)}`)),
    ].sort(),
  };
}

/** One owner a port: the first. */
function distinct(entries: readonly Published[]): readonly Published[] {
  const byName = new Map<string, Published>();
  for (const entry of entries) {
    if (!byName.has(chainName(entry))) byName.set(chainName(entry), entry);
  }
  return [...byName.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

function chainName({ protocol, address, port }: Published): string {
  return [protocol, ...(address === undefined ? [] : [address.replaceAll('.', '_')]), port].join('_');
}

/** Ports of one address before those of all addresses. */
function dispatch(served: readonly Published[]): readonly string[] {
  return eachKind(served, (match, keys) => {
    const targets = keys.map(({ key, entry }) => `${key} : goto ${chainName(entry)}`);
    return [`${match} vmap { ${targets.join(', ')} }`, ...keys.map(({ entry }) => withoutMap(entry))];
  });
}

function withoutMap(entry: Published): string {
  const { address, protocol, port } = entry;
  const to = address === undefined ? '' : `ip daddr ${address} `;
  return `${to}${protocol} dport ${port} goto ${chainName(entry)}`;
}

/** Only new connections: the machine's own ones may have such a port by chance. */
function refusals(empty: readonly Published[]): readonly string[] {
  return eachKind(empty, (match, keys, protocol) => {
    const answer = protocol === 'tcp' ? 'tcp reset' : 'icmp type port-unreachable';
    return [`ct state new ${match} { ${keys.map(({ key }) => key).join(', ')} } reject with ${answer}`];
  });
}

function eachKind(
  entries: readonly Published[],
  rule: (
    match: string,
    keys: readonly { key: string; entry: Published }[],
    protocol: 'tcp' | 'udp',
  ) => readonly string[],
): readonly string[] {
  const rules: string[] = [];
  for (const protocol of ['tcp', 'udp'] as const) {
    const mine = entries.filter((entry) => entry.protocol === protocol);
    const exact = mine.filter((entry) => entry.address !== undefined);
    const wide = mine.filter((entry) => entry.address === undefined);
    const keysOf = (some: readonly Published[]) =>
      some.map((entry) => ({
        key: [...(entry.address === undefined ? [] : [entry.address]), entry.port].join(' . '),
        entry,
      }));
    if (exact.length > 0) rules.push(...rule(`ip daddr . ${protocol} dport`, keysOf(exact), protocol));
    if (wide.length > 0) rules.push(...rule(`${protocol} dport`, keysOf(wide), protocol));
  }
  return rules;
}

/** The port stands inside the map's values: nft takes no port after a map. */
function translation({ protocol, backends }: Published): readonly string[] {
  const ends = backends.map((backend, index) => `${index} : ${backend}`);
  const spread = `numgen random mod ${ends.length} map { ${ends.join(', ')} }`;
  const first = backends[0]!.replace(' . ', ':');
  return [...(ends.length > 1 ? [spread] : []), first].map(
    (end) => `meta l4proto ${protocol} dnat to ${end}`,
  );
}

function chain(name: string, head: string | undefined, rules: readonly string[]): string {
  return section('chain', name, [...(head === undefined ? [] : [head]), ...rules]);
}

function section(kind: 'chain' | 'set' | 'map', name: string, lines: readonly string[]): string {
  return `\t${kind} ${name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`;
}

/** HM-NETWORK-DRIVER unless every part of it can stand in a command. */
export function checkNode(node: NodeNetwork): void {
  const wrong =
    !/^[a-z0-9]{1,6}$/.test(node.tag) ||
    !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(node.bridge) ||
    parseBlock(node.pool) === undefined ||
    wrongBlocks(node.blocks) ||
    !(Number.isInteger(node.mtu) && node.mtu >= 576 && node.mtu <= 65_535);
  if (!wrong) return;
  const { bridge, blocks, pool, mtu, tag } = node;
  throw coded('HM-NETWORK-DRIVER', 'the node network has a wrong name, block or MTU', {
    bridge,
    blocks: blocks.map(({ block, gateway }) => `${gateway} in ${block}`).join(', '),
    pool,
    mtu,
    tag,
  });
}

/** The kernel takes no two blocks that overlap into one set. */
function wrongBlocks(blocks: NodeNetwork['blocks']): boolean {
  return (
    blocks[0] === undefined ||
    blocks.some(({ block, gateway }) => !parseBlock(block) || parseAddress(gateway) === undefined) ||
    blocks.some(({ block }, at) => blocks.slice(at + 1).some((other) => overlap(block, other.block)))
  );
}

function checkAddress(text: string): string {
  // People write 010.0.0.1; nft would take it for octal.
  const number = parseAddress(text.replaceAll(/\b0+(?=\d)/g, ''));
  if (number !== undefined) return formatAddress(number);
  throw coded('HM-NETWORK-DRIVER', `${JSON.stringify(text)} is not an IPv4 address`, { address: text });
}

function checkPort(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw coded('HM-NETWORK-DRIVER', `${port} is not a port`, { port });
}
