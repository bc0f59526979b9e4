/**
 * The network of a desk: one bridge on the host, and for each node a network namespace with its own end of a link on that
 * bridge. A node's containers are behind it, on a bridge in its namespace; the others and the host have routes there.
 */
import { readdir, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { coded } from '../../protocols/errors.ts';
import { hashText } from '../../protocols/hash.ts';
import { overlap } from '../../protocols/network/cidr.ts';
import { may, must } from './commands.ts';
import { linksOf, network, type DeskName, type DeskNode } from './names.ts';

/** Second bytes that a desk may take: not those of the usual pools (10.42, 10.43) nor of tests. */
const seconds = { from: 200, count: 50 };
const namespaceFolder = '/run/netns';
const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('');

/**
 * A 10.x.0.0/16 that this machine has no route to and no address in; desks that are made at the same time begin to look
 * at different ones. HM-DESK-MACHINE when all are taken.
 */
export async function freeSecond({ tag }: DeskName): Promise<number> {
  const routes = JSON.parse(await must('the list of routes', ['ip', '-j', '-4', 'route'])) as {
    dst: string;
  }[];
  const taken = routes.map(({ dst }) => (dst.includes('/') ? dst : `${dst}/32`));
  const begin = Number.parseInt(hashText(tag).slice(0, 6), 16);
  for (let tried = 0; tried < seconds.count; tried++) {
    const second = seconds.from + ((begin + tried) % seconds.count);
    const isFree = !taken.some((route) => route !== 'default/32' && overlap(route, network.whole(second)));
    if (isFree) return second;
  }
  const range = `10.${seconds.from}.0.0/16 on`;
  throw coded('HM-DESK-MACHINE', `This machine has routes to all networks from ${range}`, {});
}

/** Bridge, namespaces, links, addresses and routes; the interfaces are up when it resolves. */
export async function makeNetwork(desk: DeskName, nodes: readonly DeskNode[], second: number): Promise<void> {
  const bridge = linksOf(desk);
  await must(
    'making the bridge',
    ['ip', '-batch', '-'],
    lines([
      `link add name ${bridge} type bridge`,
      // Without waiting for spanning tree: a new port forwards at once.
      `link set dev ${bridge} type bridge stp_state 0 forward_delay 0`,
      `address add ${network.host(second)}/${network.prefix} dev ${bridge}`,
      `link set dev ${bridge} up`,
    ]),
  );
  for (const node of nodes) await makeNamespace(bridge, node, second);
  const routes = nodes.map((to) => routeTo(to, second));
  await must('making the routes', ['ip', '-batch', '-'], lines(routes));
  for (const node of nodes) {
    const others = routes.filter((_, index) => nodes[index] !== node);
    await must(
      `making the routes of ${node.name}`,
      ['ip', '-netns', node.namespace, '-batch', '-'],
      lines([...others, `route add default via ${network.host(second)}`]),
    );
  }
}

const routeTo = (node: DeskNode, second: number): string =>
  `route add ${network.block(second, node)} via ${network.node(second, node)}`;

async function makeNamespace(bridge: string, node: DeskNode, second: number): Promise<void> {
  const { namespace, link } = node;
  await must(
    `making the link of ${node.name}`,
    ['ip', '-batch', '-'],
    lines([
      `netns add ${namespace}`,
      `link add name ${link} type veth peer name eth0 netns ${namespace}`,
      `link set dev ${link} master ${bridge} up`,
    ]),
  );
  await must(
    `setting the address of ${node.name}`,
    ['ip', '-netns', namespace, '-batch', '-'],
    lines([
      'link set dev lo up',
      `address add ${network.node(second, node)}/${network.prefix} dev eth0`,
      'link set dev eth0 up',
    ]),
  );
}

/** Another address for a node, as after a move; routes to its containers follow. */
export async function moveNode(
  nodes: readonly DeskNode[],
  node: DeskNode,
  second: number,
  address: string,
): Promise<void> {
  const back = nodes.filter((other) => other !== node).map((other) => routeTo(other, second));
  await must(
    `moving ${node.name}`,
    ['ip', '-netns', node.namespace, '-batch', '-'],
    lines([
      'address flush dev eth0 scope global',
      `address add ${address}/${network.prefix} dev eth0`,
      ...back,
      `route add default via ${network.host(second)}`,
    ]),
  );
  const there = lines([`route replace ${network.block(second, node)} via ${address}`]);
  await must('the route of the host', ['ip', '-batch', '-'], there);
  for (const { namespace } of nodes.filter((other) => other !== node))
    await must('a route to it', ['ip', '-netns', namespace, '-batch', '-'], there);
}

/** Namespaces of this desk on the machine, whoever made them. */
export async function namespacesOf(desk: DeskName): Promise<readonly string[]> {
  return namesIn((await may(['ip', 'netns'])) ?? '', desk);
}

/** Links of this desk in the host's own namespace, the bridge among them. */
export async function hostLinksOf(desk: DeskName): Promise<readonly string[]> {
  const listed = JSON.parse(await must('the list of links', ['ip', '-j', 'link'])) as { ifname?: string }[];
  return listed.flatMap(({ ifname }) => (ifname !== undefined && isOf(desk, ifname) ? ifname : []));
}

/** Everything away, also what a killed command left half made. */
export async function removeNetwork(desk: DeskName): Promise<void> {
  const namespaces = await namespacesOf(desk);
  // A link of a namespace goes with it, but later: by its other end it goes now.
  const links = await hostLinksOf(desk);
  const script = lines([
    ...links.map((link) => `link delete dev ${link}`),
    ...namespaces.map((namespace) => `netns delete ${namespace}`),
  ]);
  if (script !== '')
    await must('removing the network', ['ip', '-force', '-batch', '-'], script).catch(() => '');
  // The mount under all namespaces' names, which `ip` made for the first of them.
  if ((await readdir(namespaceFolder).catch(() => ['none'])).length === 0) {
    await may(['umount', namespaceFolder]);
    await rmdir(namespaceFolder).catch(() => undefined);
  }
  const left = [...(await namespacesOf(desk)), ...(await hostLinksOf(desk))];
  if (left.length === 0) return;
  throw coded('HM-DESK-MACHINE', `These cannot be removed: ${left.join(', ')}`, {});
}

/** Of a namespace by its name, as `/proc/PID/ns/net` shows it: `net:[4026532281]`. */
export async function namespaceId(namespace: string): Promise<string | undefined> {
  const found = await stat(join(namespaceFolder, namespace)).catch(() => undefined);
  return found && `net:[${found.ino}]`;
}

const namesIn = (text: string, desk: DeskName): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.split(' ')[0]!)
    .filter((name) => isOf(desk, name));

function isOf(desk: DeskName, name: string): boolean {
  const base = linksOf(desk);
  return name === base || (name.startsWith(`${base}-`) && /^\d+$/.test(name.slice(base.length + 1)));
}
