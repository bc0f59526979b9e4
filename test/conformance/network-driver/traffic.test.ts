/** Real packets through what the Linux driver makes: between containers, to the world, by published ports. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodeNetwork, Publication } from '../../../protocols/network/model.ts';
import { createLinuxNetwork, type LinuxNetwork } from '../../../runtime/drivers/network/linux/driver.ts';
import { realClock } from '../../kit/containerd.ts';
import { newCall, refusal } from '../../kit/port-call.ts';
import { missingForNetwork, openMachine, type Machine, type Station } from './machine.ts';

const missing = missingForNetwork();
const node: NodeNetwork = {
  bridge: 'hive0',
  blocks: [
    { block: '10.42.0.0/26', gateway: '10.42.0.1' },
    // Another node's block lies between.
    { block: '10.42.0.128/26', gateway: '10.42.0.129' },
  ],
  pool: '10.42.0.0/16',
  mtu: 1500,
  tag: 'a1',
};

const refused = 'ECONNREFUSED';
/** How long an answer is waited for that must not come. */
const silenceMs = 800;

/** With and without the kernel's bridge filter, which Docker switches on: frames of the bridge then meet the rules. */
describe.skipIf(missing).each(['0', '1'])(
  `traffic, bridge-nf-call-iptables %s${missing ? ` (skipped: ${missing})` : ''}`,
  (bridgeFilter) => {
    let machine: Machine;
    let network: LinuxNetwork;
    let one: Station;
    let two: Station;
    /** In the other block. */
    let far: Station;

    const publish = (...publications: Publication[]) => network.publish({ publications }, newCall());
    const port = (
      hostAddress: string,
      hostPort: number,
      protocol: 'tcp' | 'udp',
      ...addresses: string[]
    ): Publication => ({
      port: { hostAddress, hostPort, containerPort: 80, protocol },
      backends: addresses.map((address) => ({ address, port: 80 })),
    });

    beforeAll(async () => {
      machine = await openMachine();
      const filter = '/proc/sys/net/bridge/bridge-nf-call-iptables';
      await machine.node.run('sh', '-c', `[ ! -e ${filter} ] || echo ${bridgeFilter} > ${filter}`);
      network = createLinuxNetwork({ clock: realClock, tag: 'a1', netns: machine.netns });
      await network.ensureNode(node, newCall());
      [one, two, far] = await Promise.all([machine.container(), machine.container(), machine.container()]);
      await network.attach({ id: 'one', pid: one.pid, address: '10.42.0.2' }, newCall());
      await network.attach({ id: 'two', pid: two.pid, address: '10.42.0.3' }, newCall());
      await network.attach({ id: 'far', pid: far.pid, address: '10.42.0.130' }, newCall());
      for (const protocol of ['tcp', 'udp'] as const) {
        await one.serve(protocol, 80, 'one');
        await two.serve(protocol, 80, 'two');
        await far.serve(protocol, 80, 'far');
        await machine.outside.serve(protocol, 80, 'outside');
      }
    });
    afterAll(() => machine?.close());

    it('flows between containers, from the host, and to the world under the address of the machine', async () => {
      expect(await one.call('tcp', '10.42.0.3', 80)).toBe('two from 10.42.0.2');
      expect(await two.call('udp', '10.42.0.2', 80)).toBe('one from 10.42.0.3');
      expect(await one.call('tcp', '127.0.0.1', 80)).toBe('one from 127.0.0.1');
      expect(await machine.node.call('tcp', '10.42.0.2', 80)).toBe('one from 10.42.0.1');
      for (const protocol of ['tcp', 'udp'] as const) {
        expect(await one.call(protocol, machine.outsideAddress, 80)).toBe(
          `outside from ${machine.nodeAddress}`,
        );
      }
    });

    it('has one address and one route in a container, and no IPv6', async () => {
      expect(await one.run('ip', '-br', 'address', 'show', 'dev', 'eth0')).toMatch(
        /^eth0@\S+ +UP +10\.42\.0\.2\/26 *\n$/,
      );
      expect(await one.run('ip', 'route')).toMatch(
        /^default via 10\.42\.0\.1 dev eth0 *\n10\.42\.0\.0\/26 .*\n$/,
      );
    });

    it('has the hardware address that is wished for', async () => {
      const named = await machine.container(true);
      const request = { id: 'named', pid: named.pid, address: '10.42.0.20', hardware: '02:42:ac:11:00:02' };
      await network.attach(request, newCall());
      expect(await named.run('ip', '-br', 'link', 'show', 'dev', 'eth0')).toContain('02:42:ac:11:00:02');
      expect((await refusal(network.attach({ ...request, hardware: '02 up' }, newCall()))).code).toBe(
        'HM-NETWORK-DRIVER',
      );
      await named.end();
    });

    it.each(['tcp', 'udp'] as const)('reaches a published %s port from everywhere', async (protocol) => {
      await publish(port('0.0.0.0', 8080, protocol, '10.42.0.2'));
      const { outside, nodeAddress } = machine;
      expect(await outside.call(protocol, nodeAddress, 8080)).toBe(`one from ${machine.outsideAddress}`);
      expect(await machine.node.call(protocol, '127.0.0.1', 8080)).toBe('one from 10.42.0.1');
      expect(await machine.node.call(protocol, nodeAddress, 8080)).toBe(`one from ${nodeAddress}`);
      expect(await machine.node.call(protocol, '10.42.0.1', 8080)).toBe('one from 10.42.0.1');
      // Hairpin: another container, and the container itself.
      expect(await two.call(protocol, nodeAddress, 8080)).toBe('one from 10.42.0.1');
      expect(await one.call(protocol, nodeAddress, 8080)).toBe('one from 10.42.0.1');
      expect(await two.call(protocol, '10.42.0.1', 8080)).toBe('one from 10.42.0.1');
    });

    it.each(['tcp', 'udp'] as const)(
      'keeps a %s port published on localhost to the host itself',
      async (protocol) => {
        await publish(port('127.0.0.1', 8081, protocol, '10.42.0.2'));
        expect(await machine.node.call(protocol, '127.0.0.1', 8081)).toBe('one from 10.42.0.1');
        expect(await machine.outside.call(protocol, machine.nodeAddress, 8081)).toBe(refused);
        expect(await two.call(protocol, machine.nodeAddress, 8081)).toBe(refused);
        // A neighbour that sends loopback addresses over the wire, and a container that does.
        for (const [from, gateway, link] of [
          [machine.outside, machine.nodeAddress, 'eth0'],
          [two, '10.42.0.1', 'eth0'],
        ] as const) {
          await from.run('sh', '-c', `echo 1 > /proc/sys/net/ipv4/conf/${link}/route_localnet`);
          await from.run('ip', 'route', 'add', '127.0.0.9/32', 'via', gateway, 'dev', link, 'onlink');
          expect(await from.call(protocol, '127.0.0.9', 8081, silenceMs)).toMatch(
            /TIMEOUT|EHOSTUNREACH|ECONNREFUSED/,
          );
          await from.run('ip', 'route', 'delete', '127.0.0.9/32');
        }
      },
    );

    it.each(['tcp', 'udp'] as const)('flows by %s between the blocks of a node', async (protocol) => {
      const { node: host, outside, nodeAddress } = machine;
      // More than once: after the first packets the host could have told them a shorter way.
      for (let turn = 0; turn < 5; turn++) {
        expect(await one.call(protocol, '10.42.0.130', 80)).toBe('far from 10.42.0.2');
        expect(await far.call(protocol, '10.42.0.2', 80)).toBe('one from 10.42.0.130');
      }
      expect(await one.run('ip', 'route', 'get', '10.42.0.130')).toContain('via 10.42.0.1 ');
      expect(await one.run('ip', 'route', 'show', 'cache')).toBe('');
      expect(await host.call(protocol, '10.42.0.130', 80)).toBe('far from 10.42.0.129');
      expect(await far.call(protocol, machine.outsideAddress, 80)).toBe(`outside from ${nodeAddress}`);
      await publish(port('0.0.0.0', 8080, protocol, '10.42.0.130'));
      expect(await outside.call(protocol, nodeAddress, 8080)).toBe(`far from ${machine.outsideAddress}`);
      expect(await host.call(protocol, '127.0.0.1', 8080)).toBe('far from 10.42.0.129');
      expect(await host.call(protocol, '10.42.0.129', 8080)).toContain('far');
      for (const from of [one, far]) {
        expect(await from.call(protocol, nodeAddress, 8080)).toBe('far from 10.42.0.129');
        expect(await from.call(protocol, '10.42.0.1', 8080)).toBe('far from 10.42.0.129');
      }
    });

    it('has the route of its block in a container, and the name server of the first block', async () => {
      expect(await far.run('ip', 'route')).toMatch(
        /^default via 10\.42\.0\.129 dev eth0 *\n10\.42\.0\.128\/26 .*\n$/,
      );
      await machine.node.serve('tcp', 53, 'names', '10.42.0.1');
      expect(await far.call('tcp', '10.42.0.1', 53)).toBe('names from 10.42.0.130');
    });

    it('honours the host address that is named', async () => {
      await publish(
        port(machine.nodeAddress, 8082, 'tcp', '10.42.0.2'),
        port('0.0.0.0', 8083, 'tcp', '10.42.0.3'),
        port(machine.nodeAddress, 8083, 'tcp', '10.42.0.2'),
      );
      expect(await machine.outside.call('tcp', machine.nodeAddress, 8082)).toContain('one');
      expect(await machine.node.call('tcp', '127.0.0.1', 8082)).toBe(refused);
      expect(await machine.outside.call('tcp', machine.nodeAddress, 8083)).toContain('one');
      expect(await machine.node.call('tcp', '127.0.0.1', 8083)).toContain('two');
    });

    it('leads from an address that the machine gets later, as soon as it has it', async () => {
      const late = '192.0.2.77';
      await publish(port(late, 8084, 'tcp', '10.42.0.2'), port('0.0.0.0', 8084, 'udp', '10.42.0.2'));
      expect(await machine.outside.call('tcp', late, 8084, silenceMs)).toMatch(/TIMEOUT|EHOSTUNREACH/);
      expect(await machine.outside.call('tcp', machine.nodeAddress, 8084)).toBe(refused);
      await machine.node.run('ip', 'address', 'add', `${late}/24`, 'dev', 'wan0');
      await machine.outside.run('ip', 'neighbour', 'flush', 'all');
      expect(await machine.outside.call('tcp', late, 8084)).toContain('one');
      await machine.node.run('ip', 'address', 'delete', `${late}/24`, 'dev', 'wan0');
    });

    it('spreads connections over the backends', async () => {
      await publish(port('0.0.0.0', 8080, 'tcp', '10.42.0.2', '10.42.0.3'));
      const heard = new Set<string>();
      // One in 2^40 that one of them hears nothing.
      for (let n = 0; n < 40; n++)
        heard.add((await machine.outside.call('tcp', machine.nodeAddress, 8080)).split(' ')[0]!);
      expect([...heard].sort()).toEqual(['one', 'two']);
    });

    it('refuses at once where a publication has no backend, also what a foreign listener would answer', async () => {
      await machine.node.serve('tcp', 8090, 'foreign');
      expect(await machine.outside.call('tcp', machine.nodeAddress, 8090)).toContain('foreign');
      await publish(
        port('0.0.0.0', 8090, 'tcp'),
        port('0.0.0.0', 8091, 'udp'),
        port('127.0.0.1', 8092, 'tcp'),
      );
      for (const from of [machine.outside, machine.node, one]) {
        expect(await from.call('tcp', machine.nodeAddress, 8090)).toBe(refused);
        expect(await from.call('udp', machine.nodeAddress, 8091)).toBe(refused);
      }
      expect(await machine.node.call('tcp', '127.0.0.1', 8092)).toBe(refused);
    });

    it('lets nobody from outside reach what is not published, although the machine forwards', async () => {
      await publish();
      const { outside, nodeAddress } = machine;
      await outside.run('ip', 'route', 'add', '10.42.0.0/16', 'via', nodeAddress);
      expect(await outside.call('tcp', '10.42.0.2', 80, silenceMs)).toBe('TIMEOUT');
      await machine.node.serve('tcp', 8100, 'node', '10.42.0.1');
      expect(await one.call('tcp', '10.42.0.1', 8100)).toContain('node');
      await machine.node.serve('tcp', 8100, 'node', '10.42.0.129');
      expect(await one.call('tcp', '10.42.0.129', 8100)).toContain('node');
      const addresses = ['10.42.0.1', '10.42.0.129', '10.42.0.130'];
      const calls = addresses.map((address) => outside.call('tcp', address, 8100, silenceMs));
      expect(await Promise.all(calls)).toEqual(addresses.map(() => 'TIMEOUT'));
      await outside.run('ip', 'route', 'delete', '10.42.0.0/16');
    });

    it("keeps the name server's port on the bridge when somebody publishes port 53", async () => {
      await machine.node.serve('udp', 53, 'names', '10.42.0.1');
      const dns = { hostAddress: '0.0.0.0', hostPort: 53, protocol: 'udp' as const };
      expect(await network.taken({ ports: [dns] }, newCall())).toEqual({ taken: [] });
      await publish(port('0.0.0.0', 53, 'udp', '10.42.0.3'));
      expect(await one.call('udp', '10.42.0.1', 53)).toContain('names');
      expect(await machine.outside.call('udp', machine.nodeAddress, 53)).toContain('two');
    });

    it('keeps connections, and refuses no new one, while the table is written anew', async () => {
      const wish = port('0.0.0.0', 8080, 'tcp', '10.42.0.2');
      await publish(wish);
      expect(await machine.outside.keep('long', machine.nodeAddress, 8080)).toContain('one');
      let writing = true;
      const write = async () => {
        for (let n = 0; n < 50; n++) await publish(wish, port('0.0.0.0', 9000 + n, 'tcp', '10.42.0.3'));
      };
      // Many at once: who is refused comes in the few microseconds in which the kernel changes over.
      const heard = new Set<string>();
      const callers = Array.from({ length: 8 }, async () => {
        do heard.add(await machine.outside.call('tcp', machine.nodeAddress, 8080));
        while (writing);
      });
      await write().finally(() => (writing = false));
      await Promise.all(callers);
      expect([...heard]).toEqual([`one from ${machine.outsideAddress}`]);
      expect(await machine.outside.talk('long')).toContain('one');
    });

    it('keeps published ports through a restart of the daemon, until it was told what they are', async () => {
      await publish(port('0.0.0.0', 8080, 'tcp', '10.42.0.2'));
      const next = createLinuxNetwork({ clock: realClock, tag: 'a1', netns: machine.netns });
      await next.ensureNode(node, newCall());
      expect(await machine.outside.call('tcp', machine.nodeAddress, 8080)).toContain('one');
      await next.publish({ publications: [] }, newCall());
      expect(await machine.outside.call('tcp', machine.nodeAddress, 8080)).toBe(refused);
    });

    it('gets another block while everything runs, also before it was told what is published', async () => {
      await publish(port('0.0.0.0', 8080, 'tcp', '10.42.0.2'));
      const more = { block: '10.42.1.0/26', gateway: '10.42.1.1' };
      const next = createLinuxNetwork({ clock: realClock, tag: 'a1', netns: machine.netns });
      const late = await machine.container();
      const attach = () => next.attach({ id: 'late', pid: late.pid, address: '10.42.1.2' }, newCall());
      await next.ensureNode(node, newCall());
      expect((await refusal(attach())).message).toContain('10.42.0.0/26, 10.42.0.128/26');
      await next.ensureNode({ ...node, blocks: [...node.blocks, more] }, newCall());
      await attach();
      await late.serve('tcp', 80, 'late');
      expect(await late.call('tcp', machine.outsideAddress, 80)).toBe(`outside from ${machine.nodeAddress}`);
      expect(await far.call('tcp', '10.42.1.2', 80)).toBe('late from 10.42.0.130');
      expect(await late.call('tcp', machine.nodeAddress, 8080)).toBe('one from 10.42.0.1');
      expect(await machine.outside.call('tcp', machine.nodeAddress, 8080)).toContain('one');
      await late.end();
      await network.ensureNode(node, newCall());
      expect(await machine.node.run('ip', '-br', 'address', 'show', 'dev', 'hive0')).not.toContain(
        '10.42.1.1',
      );
    });

    it('says which process is missing, and leaves no link behind', async () => {
      const links = async () =>
        (await machine.node.run('ip', '-br', 'link')).split('\n').map((line) => line.split(' ')[0]!);
      // Those of containers that have ended may go meanwhile.
      const before = await links();
      const because = await refusal(
        network.attach({ id: 'x', pid: 4_194_304, address: '10.42.0.9' }, newCall()),
      );
      expect(because).toMatchObject({ code: 'HM-NETWORK-DRIVER' });
      expect(because.message).toContain('the link of x');
      expect((await links()).filter((link) => !before.includes(link))).toEqual([]);
    });

    it('mends a link that a crash left half done', async () => {
      const three = await machine.container();
      const name = 'three';
      await network.attach({ id: name, pid: three.pid, address: '10.42.0.4' }, newCall());
      await three.serve('tcp', 80, name);
      for (const damage of [
        ['ip', 'address', 'flush', 'dev', 'eth0'],
        ['ip', 'link', 'set', 'eth0', 'down'],
        ['ip', 'route', 'delete', 'default'],
      ] as const) {
        await three.run(damage[0], ...damage.slice(1));
        await network.attach({ id: name, pid: three.pid, address: '10.42.0.4' }, newCall());
        expect(await two.call('tcp', '10.42.0.4', 80)).toBe('three from 10.42.0.3');
        expect(await three.call('tcp', machine.outsideAddress, 80)).toContain('outside');
      }
      await three.end();
    });

    it('sees who would drop packets of containers, and how to let them pass', async () => {
      expect(await network.obstacles(newCall())).toEqual([]);
      const { node: host } = machine;
      await host.run('nft', 'add', 'table', 'ip', 'filter');
      await host.run(
        'nft',
        'add chain ip filter FORWARD { type filter hook forward priority filter; policy drop; }',
      );
      expect(await one.call('tcp', machine.outsideAddress, 80, silenceMs)).toBe('TIMEOUT');
      const found = await network.obstacles(newCall());
      expect(found).toMatchObject([{ family: 'ip', table: 'filter', chain: 'FORWARD' }]);
      expect(found[0]?.mend).toBe(
        'iptables -I FORWARD -i hive0 -j ACCEPT && iptables -I FORWARD -o hive0 -j ACCEPT',
      );
      await host.run('nft', 'insert rule ip filter FORWARD iifname "hive0" accept');
      expect(await network.obstacles(newCall())).toHaveLength(1);
      await host.run('nft', 'insert rule ip filter FORWARD oifname "hive0" accept');
      expect(await network.obstacles(newCall())).toEqual([]);
      expect(await one.call('tcp', machine.outsideAddress, 80)).toContain('outside');
      await host.run('nft', 'delete', 'table', 'ip', 'filter');
    });

    it('knows whether the kernel has rules for bridges, and makes none to find out', async () => {
      expect(await network.hasBridgeRules(newCall())).toBe(true);
      expect(await machine.node.run('nft', 'list', 'tables')).not.toContain('check');
    });

    it('lets packets of containers pass a firewall of another program, when asked', async () => {
      const { node: host } = machine;
      await host.run('nft', 'add', 'table', 'inet', 'firewall');
      await host.run(
        'nft',
        'add chain inet firewall forward { type filter hook forward priority filter; policy drop; }',
      );
      expect(await one.call('tcp', machine.outsideAddress, 80, silenceMs)).toBe('TIMEOUT');
      for (const obstacle of await network.obstacles(newCall())) await network.clear(obstacle, newCall());
      expect(await network.obstacles(newCall())).toEqual([]);
      expect(await one.call('tcp', machine.outsideAddress, 80)).toContain('outside');
      await host.run('nft', 'delete', 'table', 'inet', 'firewall');
    });
  },
);
