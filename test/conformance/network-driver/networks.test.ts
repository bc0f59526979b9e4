/** Who reaches whom: real packets between containers on several networks, as the Linux driver lets them pass. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JoinedNetwork, Member, NodeNetwork } from '../../../protocols/network/model.ts';
import { openNetwork } from '../../../protocols/network/networks.ts';
import { createLinuxNetwork, type LinuxNetwork } from '../../../runtime/drivers/network/linux/driver.ts';
import { realClock } from '../../kit/containerd.ts';
import { newCall, refusal } from '../../kit/port-call.ts';
import { until } from '../../kit/until.ts';
import { missingForNetwork, openMachine, type Machine, type Station } from './machine.ts';

const missing = missingForNetwork();
const node: NodeNetwork = {
  bridge: 'hive0',
  blocks: [
    { block: '10.42.0.0/26', gateway: '10.42.0.1' },
    { block: '10.42.0.128/26', gateway: '10.42.0.129' },
  ],
  pool: '10.42.0.0/16',
  mtu: 1500,
  tag: 'a1',
};
/** How long an answer is waited for that must not come. */
const silenceMs = 500;
const front: JoinedNetwork = { id: 'shop_front' };
const back: JoinedNetwork = { id: 'shop_back', internal: true };
const subnet = '172.28.0.0/24';

/** `far` is in the other block, so that packets to it are routed. */
const placed: Readonly<Record<string, Member>> = {
  open: { address: '10.42.0.2', networks: [{ id: openNetwork }] },
  web: { address: '10.42.0.3', networks: [front] },
  both: { address: '10.42.0.4', networks: [back, front] },
  db: { address: '10.42.0.5', networks: [{ ...back, address: '172.28.0.10', subnet }] },
  far: { address: '10.42.0.130', networks: [{ ...back, address: '172.28.0.11', subnet }] },
  other: { address: '10.42.0.131', networks: [{ id: openNetwork }] },
};
/** To other containers: the static address where there is one. */
const shown = (name: string): string =>
  placed[name]!.networks.find((one) => one.address !== undefined)?.address ?? placed[name]!.address;
const reaches: readonly (readonly [string, string])[] = [
  ['open', 'other'],
  ['web', 'both'],
  ['both', 'db'],
  ['both', 'far'],
  ['db', 'far'],
];

describe.skipIf(missing).each(['0', '1'])(
  `networks, bridge-nf-call-iptables %s${missing ? ` (skipped: ${missing})` : ''}`,
  (bridgeFilter) => {
    let machine: Machine;
    let network: LinuxNetwork;
    const stations = new Map<string, Station>();
    const at = (name: string): Station => stations.get(name)!;
    const again = (): LinuxNetwork =>
      createLinuxNetwork({ clock: realClock, tag: 'a1', netns: machine.netns });

    const wished = reaches.flatMap(([a, b]) => [`${a}→${b}`, `${b}→${a}`]).sort();

    /** `a→b` for each two that reach each other by the address that `b` shows. */
    const reached = async (protocol: 'tcp' | 'udp', addressOf = shown): Promise<string[]> => {
      const names = Object.keys(placed);
      const calls = names.flatMap((from) =>
        names
          .filter((to) => to !== from)
          .map(async (to) => {
            // An answer that is to come has the time that it needs.
            const deadlineMs = wished.includes(`${from}→${to}`) ? undefined : silenceMs;
            const said = await at(from).call(protocol, addressOf(to), 80, deadlineMs);
            return said === `${to} from ${shown(from)}` ? [`${from}→${to}`] : [];
          }),
      );
      return (await Promise.all(calls)).flat().sort();
    };
    const areSilent = async (...calls: readonly Promise<string>[]): Promise<void> =>
      expect(await Promise.all(calls)).toEqual(calls.map(() => 'TIMEOUT'));

    beforeAll(async () => {
      machine = await openMachine();
      const filter = '/proc/sys/net/bridge/bridge-nf-call-iptables';
      await machine.node.run('sh', '-c', `[ ! -e ${filter} ] || echo ${bridgeFilter} > ${filter}`);
      network = again();
      await network.ensureNode(node, newCall());
      for (const [name, { address, networks }] of Object.entries(placed)) {
        const station = await machine.container();
        stations.set(name, station);
        await network.attach({ id: name, pid: station.pid, address, networks }, newCall());
        for (const protocol of ['tcp', 'udp'] as const) await station.serve(protocol, 80, name);
      }
      await machine.outside.serve('tcp', 80, 'outside');
    });
    afterAll(() => machine?.close());

    it('lets those and only those pass who share a network, from their attachment on', async () => {
      expect(await reached('tcp')).toEqual(wished);
      expect(await reached('udp')).toEqual(wished);
      expect(await reached('tcp', (name) => placed[name]!.address)).toEqual(wished);
    });

    it('lets the same pass when the whole table is written, by this life and the next', async () => {
      await network.publish({ publications: [], members: Object.values(placed) }, newCall());
      expect(await reached('udp')).toEqual(wished);
      const next = again();
      await next.ensureNode(node, newCall());
      expect(await reached('udp')).toEqual(wished);
      await next.publish({ publications: [], members: Object.values(placed) }, newCall());
      expect(await reached('tcp')).toEqual(wished);
    });

    it('gives the internal no way out but to the name server, and the host a way in', async () => {
      const { node: host, outsideAddress, nodeAddress } = machine;
      await host.serve('tcp', 8100, 'host');
      await host.serve('udp', 53, 'names', '10.42.0.1');
      for (const name of ['open', 'web', 'both'])
        expect(await at(name).call('tcp', outsideAddress, 80)).toBe(`outside from ${nodeAddress}`);
      for (const name of ['db', 'far']) {
        await areSilent(
          at(name).call('tcp', outsideAddress, 80, silenceMs),
          at(name).call('tcp', nodeAddress, 8100, silenceMs),
          at(name).call('tcp', '10.42.0.1', 8100, silenceMs),
        );
        expect(await at(name).call('udp', '10.42.0.1', 53)).toContain('names');
        expect(await host.call('tcp', placed[name]!.address, 80)).toContain(name);
      }
      expect(await at('web').call('tcp', nodeAddress, 8100)).toContain('host');
    });

    it('leads a published port to a container from everywhere, networks or not, and never into an internal one', async () => {
      const published = (hostPort: number, address: string) => ({
        port: { hostAddress: '0.0.0.0', hostPort, containerPort: 80, protocol: 'tcp' as const },
        backends: [{ address, port: 80 }],
      });
      await network.publish(
        { publications: [published(8080, placed['web']!.address), published(8081, placed['db']!.address)] },
        newCall(),
      );
      const everywhere = [machine.outside, at('open'), at('other'), at('web')];
      for (const from of everywhere)
        expect(await from.call('tcp', machine.nodeAddress, 8080)).toContain('web');
      await areSilent(...everywhere.map((from) => from.call('tcp', machine.nodeAddress, 8081, silenceMs)));
    });

    it('has static addresses that answer those of their network alone', async () => {
      for (const protocol of ['tcp', 'udp'] as const) {
        expect(await at('far').call(protocol, '172.28.0.10', 80)).toBe('db from 172.28.0.11');
        expect(await at('db').call(protocol, '172.28.0.11', 80)).toBe('far from 172.28.0.10');
        expect(await at('both').call(protocol, '172.28.0.10', 80)).toBe('db from 10.42.0.4');
        await areSilent(
          ...['open', 'web'].map((name) => at(name).call(protocol, '172.28.0.10', 80, silenceMs)),
        );
      }
      expect(await machine.node.call('tcp', '172.28.0.10', 80)).toContain('db');
      await machine.outside.run('ip', 'route', 'add', subnet, 'via', machine.nodeAddress);
      expect(await machine.outside.call('tcp', '172.28.0.10', 80, silenceMs)).toBe('TIMEOUT');
    });

    it('forgets the route of a static address with its container', async () => {
      const late = await machine.container(true);
      const networks = [{ ...front, address: '172.28.0.12', subnet }];
      await network.attach({ id: 'late', pid: late.pid, address: '10.42.0.6', networks }, newCall());
      const routes = () => machine.node.run('ip', 'route', 'show', 'dev', 'hive0');
      expect(await routes()).toContain('172.28.0.12');
      await late.end();
      // The kernel takes the link away some time after the last process of its namespace.
      await until('the stray route is gone', async () => {
        await network.ensureNode(node, newCall());
        return !(await routes()).includes('172.28.0.12');
      });
      expect(await routes()).toContain('172.28.0.10');
    });

    it('moves an address to the networks of its next owner', async () => {
      const address = '10.42.0.7';
      for (const life of [network, again()]) {
        await life.ensureNode(node, newCall());
        for (const [networks, friend, stranger] of [
          [[front], 'web', 'open'],
          [[{ id: openNetwork }], 'open', 'web'],
        ] as const) {
          const next = await machine.container();
          await life.attach({ id: 'next', pid: next.pid, address, networks }, newCall());
          await next.serve('udp', 80, 'next');
          expect(await at(friend).call('udp', address, 80)).toContain('next');
          expect(await at(stranger).call('udp', address, 80, silenceMs)).toBe('TIMEOUT');
          await next.end();
          await life.detach({ id: 'next' }, newCall());
        }
      }
    });

    it('refuses a static address of the pool', async () => {
      const pid = at('web').pid;
      const networks = [{ ...front, address: '10.42.9.9', subnet: '10.42.9.0/24' }];
      const because = await refusal(
        network.attach({ id: 'x', pid, address: '10.42.0.9', networks }, newCall()),
      );
      expect(because.code).toBe('HM-NETWORK-SUBNET');
    });
  },
);
