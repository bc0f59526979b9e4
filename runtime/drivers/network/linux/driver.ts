/**
 * The NetworkDriver port on Linux: a bridge, a veth pair for each container moved into its own namespace before its
 * first instruction, and one nftables table. Level-triggered: every call looks at what is and mends the difference.
 */
import { prefixOf } from '../../../../protocols/network/ipam.ts';
import type { NodeNetwork, Publication } from '../../../../protocols/network/model.ts';
import { renderRuleset, tableName } from '../../../../protocols/network/ruleset.ts';
import { coded } from '../../../../protocols/errors.ts';
import { hashText } from '../../../../protocols/hash.ts';
import type { Call, Clock, NetworkDriver } from '../../../../protocols/ports.ts';
import { createCommands, type Commands } from './commands.ts';
import { listenersIn, takenBy } from './listeners.ts';

export interface LinuxNetworkOptions {
  readonly clock: Clock;
  /** Begins the names of this node's links; ≤ 6 characters [a-z0-9]. */
  readonly tag: string;
  /** For `purge` of a node that did not run in this process. */
  readonly bridge?: string;
  /** Path of the node's network namespace; absent: the one of this process. */
  readonly netns?: string;
}

interface Link {
  readonly ifname: string;
  readonly ifalias?: string;
  readonly mtu?: number;
  readonly operstate?: string;
  readonly flags?: readonly string[];
  readonly addr_info?: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
  }[];
}

export function createLinuxNetwork({ clock, tag, bridge, netns }: LinuxNetworkOptions): NetworkDriver {
  const commands = createCommands(clock, netns);
  let network: NodeNetwork | undefined;
  let publications: readonly Publication[] = [];
  const known = (): NodeNetwork => {
    if (network) return network;
    throw coded(
      'HM-NETWORK-DRIVER',
      'the bridge of this node was not made yet',
      {},
      'Wait: it is tried again.',
    );
  };
  return {
    ensureNode: async (wish, call) => {
      await ensureBridge(commands, wish, call);
      network = wish;
      await loadRuleset(commands, wish, publications, call);
      return {};
    },
    attach: async ({ id, pid, address }, call) => {
      await attach(commands, known(), { id, pid, address, link: linkName(tag, id) }, call);
      return {};
    },
    detach: async ({ id }, call) => {
      await removeLink(commands, linkName(tag, id), call);
      return {};
    },
    list: async (_args, call) => ({ attachments: await attachments(commands, tag, call) }),
    publish: async (wish, call) => {
      publications = wish.publications;
      // Before the bridge is there nothing can be published: `ensureNode` loads it all.
      if (network) await loadRuleset(commands, network, publications, call);
      return {};
    },
    taken: async ({ ports }, call) => {
      if (ports.length === 0) return { taken: [] };
      const listeners = await listenersIn(commands, netns !== undefined, call);
      return { taken: ports.filter((port) => takenBy(listeners, port)) };
    },
    purge: async (_args, call) => {
      await purge(commands, tag, network?.bridge ?? bridge, call);
      return {};
    },
  };
}

/** `n1-1f3c9a2b`: at most 15 characters, the same for the same container. */
export function linkName(tag: string, id: string): string {
  return `${tag}-${hashText(id).slice(0, 8)}`;
}

/** Derived from the address: whoever gets the address next has the same, so no neighbour's table is stale. */
export function macOf(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['02', '48', ...bytes].join(':');
}

async function links(commands: Commands, args: readonly string[], call: Call): Promise<readonly Link[]> {
  return JSON.parse((await commands.run('ip', ['-j', ...args], call)) || '[]') as Link[];
}

async function ensureBridge(commands: Commands, wish: NodeNetwork, call: Call): Promise<void> {
  const own = `${wish.gateway}/${prefixOf(wish.block)}`;
  const bridge = (await links(commands, ['addr', 'show'], call)).find((link) => link.ifname === wish.bridge);
  const steps: string[] = [];
  if (!bridge) steps.push(`link add name ${wish.bridge} type bridge forward_delay 0`);
  const addresses = (bridge?.addr_info ?? [])
    .filter((info) => info.family === 'inet')
    .map((info) => `${info.local}/${info.prefixlen}`);
  for (const foreign of addresses.filter((address) => address !== own))
    steps.push(`addr del ${foreign} dev ${wish.bridge}`);
  if (!addresses.includes(own)) steps.push(`addr add ${own} dev ${wish.bridge}`);
  if (bridge?.mtu !== wish.mtu) steps.push(`link set dev ${wish.bridge} mtu ${wish.mtu}`);
  if (!bridge?.flags?.includes('UP')) steps.push(`link set dev ${wish.bridge} up`);
  if (steps.length > 0) await commands.run('ip', ['-batch', '-'], call, `${steps.join('\n')}\n`);
  // Written inside the node's namespace: /proc/sys/net is that of the writer.
  const settings = [`/proc/sys/net/ipv4/ip_forward`, `/proc/sys/net/ipv4/conf/${wish.bridge}/route_localnet`];
  const mend = settings.map((path) => `[ "$(cat ${path})" = 1 ] || echo 1 > ${path}`).join(' && ');
  await commands.run('sh', ['-ec', mend], call);
}

async function attach(
  commands: Commands,
  network: NodeNetwork,
  wish: { id: string; pid: number; address: string; link: string },
  call: Call,
): Promise<void> {
  const { link, pid, address, id } = wish;
  await removeLink(commands, link, call);
  const outside = [
    `link add name ${link} mtu ${network.mtu} type veth peer name eth0 mtu ${network.mtu} address ${macOf(address)} netns ${pid}`,
    `link set dev ${link} alias ${id}=${address}`,
    `link set dev ${link} master ${network.bridge}`,
    `link set dev ${link} up`,
  ];
  const inside = [
    'link set dev lo up',
    `addr add ${address}/${prefixOf(network.block)} dev eth0`,
    'link set dev eth0 up',
    `route add default via ${network.gateway}`,
  ];
  await commands.run('ip', ['-batch', '-'], call, `${outside.join('\n')}\n`);
  await commands.runIn(pid, 'ip', ['-batch', '-'], call, `${inside.join('\n')}\n`);
}

/** Gone, also when it was not there: a link vanishes with its container. */
async function removeLink(commands: Commands, link: string, call: Call): Promise<void> {
  await commands.run(
    'sh',
    ['-c', `ip link show dev ${link} >/dev/null 2>&1 || exit 0; ip link del dev ${link}`],
    call,
  );
}

async function attachments(
  commands: Commands,
  tag: string,
  call: Call,
): Promise<{ id: string; address: string }[]> {
  const found = await links(commands, ['-d', 'link', 'show', 'type', 'veth'], call);
  return found
    .filter((link) => link.ifname.startsWith(`${tag}-`) && link.ifalias?.includes('='))
    .map((link) => {
      const [id = '', address = ''] = (link.ifalias ?? '').split('=');
      return { id, address };
    });
}

async function loadRuleset(
  commands: Commands,
  network: NodeNetwork,
  publications: readonly Publication[],
  call: Call,
): Promise<void> {
  await commands.run('nft', ['-f', '-'], call, renderRuleset(network, publications));
}

async function purge(commands: Commands, tag: string, bridge: string | undefined, call: Call): Promise<void> {
  const name = tableName(tag);
  await commands.run('nft', ['-f', '-'], call, `table ip ${name}\ndelete table ip ${name}\n`);
  const all = await links(commands, ['link', 'show'], call);
  const ours = all.filter((link) => link.ifname.startsWith(`${tag}-`) || link.ifname === bridge);
  for (const link of ours) await removeLink(commands, link.ifname, call);
}
