/** The simulated machine's network under the network driver's conformance suite. */
import { MemoryNetwork } from '../../../runtime/drivers/network/memory/memory-network.ts';
import { networkDriverConformance } from './suite.ts';

networkDriverConformance('memory', () => {
  const network = new MemoryNetwork();
  let pids = 100;
  return Promise.resolve({
    network,
    node: {
      bridge: 'hive0',
      blocks: [{ block: '10.42.0.0/26', gateway: '10.42.0.1' }],
      pool: '10.42.0.0/16',
      mtu: 1500,
      tag: 'a1',
    },
    again: () => network,
    container: () => Promise.resolve(++pids),
    end: (pid) => Promise.resolve(network.ended(pid)),
    occupy: (port) => Promise.resolve(void network.foreign.add(port)),
    lose: () => Promise.resolve(network.lose()),
    traces: () =>
      Promise.resolve([
        ...(network.node ? [`bridge ${JSON.stringify(network.node)}`] : []),
        ...[...network.attachments.values()].map((link) => `link ${JSON.stringify(link)}`),
        ...network.publications.map((wish) => `port ${JSON.stringify(wish)}`),
      ]),
    close: () => Promise.resolve(),
  });
});
