/** The Linux driver under the network driver's conformance suite, on a machine of network namespaces. */
import { describe } from 'vitest';
import { createLinuxNetwork } from '../../../runtime/drivers/network/linux/driver.ts';
import { parseReports } from '../../../runtime/drivers/network/linux/links.ts';
import { realClock } from '../../kit/containerd.ts';
import { until } from '../../kit/until.ts';
import { freshSwitches, missingForNetwork, openMachine, type Station } from './machine.ts';
import { networkDriverConformance } from './suite.ts';

const missing = missingForNetwork();

describe.skipIf(missing)(`linux${missing ? ` (skipped: ${missing})` : ''}`, () => {
  networkDriverConformance('linux', async () => {
    const machine = await openMachine();
    const { node } = machine;
    const containers = new Map<number, Station>();
    const driver = () => createLinuxNetwork({ clock: realClock, tag: 'a1', netns: machine.netns });
    const links = async () => parseReports(await node.run('ip', '-j', '-d', 'address', 'show'));
    return {
      network: driver(),
      node: {
        bridge: 'hive0',
        blocks: [{ block: '10.42.0.0/26', gateway: '10.42.0.1' }],
        pool: '10.42.0.0/16',
        mtu: 1500,
        tag: 'a1',
      },
      again: driver,
      container: async () => {
        const opened = await machine.container(true);
        containers.set(opened.pid, opened);
        return opened.pid;
      },
      end: async (pid) => {
        const before = (await links()).length;
        await containers.get(pid)?.end();
        await until('the link went with its namespace', async () => (await links()).length < before);
      },
      occupy: (port) => node.serve('tcp', port, 'foreign'),
      lose: async () => {
        for (const { ifname, ifalias } of await links()) {
          if (ifalias?.startsWith('hivemind/')) await node.run('ip', 'link', 'delete', ifname);
        }
        await node.run('nft', 'flush', 'ruleset');
        await node.run('sh', '-c', freshSwitches);
      },
      traces: async () => {
        const ours = (await links()).filter(({ ifname }) => !['lo', 'wan0'].includes(ifname));
        const shown = ours.map(({ ifname, flags, mtu, address, ifalias }) =>
          JSON.stringify({ ifname, flags, mtu, address, ifalias }),
        );
        const addresses = (await node.run('ip', '-br', 'address', 'show', 'to', '10.42.0.0/16')).split('\n');
        const rules = (await node.run('nft', 'list', 'ruleset')).split('\n');
        const forward = await node.run('cat', '/proc/sys/net/ipv4/ip_forward');
        const redirects = await node.run('cat', '/proc/sys/net/ipv4/conf/all/send_redirects');
        const switches = [forward === '1\n' ? 'forwards' : '', redirects === '0\n' ? 'no redirects' : ''];
        return [...shown, ...addresses, ...rules, ...switches].filter((line) => line !== '');
      },
      close: () => machine.close(),
    };
  });
});
