/**
 * The network of a node whose services are processes of the machine: there is nothing to make, they have the
 * machine's own. What is asked of it beyond that is refused.
 */
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { coded } from '../../../../protocols/errors.ts';
import type { NetworkDriver } from '../../../../protocols/ports.ts';
import { collides, parseListeners } from '../linux/listeners.ts';

export function createHostNetwork(): NetworkDriver {
  const nothing = () => Promise.resolve({});
  return {
    ensureNode: nothing,
    attach: ({ id }) =>
      Promise.reject(
        coded('HM-NETWORK-DRIVER', 'A process has no network of its own', { id }, 'network_mode: host'),
      ),
    detach: nothing,
    list: () => Promise.resolve({ attachments: [] }),
    traffic: () => Promise.resolve({ traffic: [] }),
    publish: nothing,
    taken: async ({ ports }) => {
      if (ports.length === 0) return { taken: [] };
      const tables = (['tcp', 'tcp6', 'udp', 'udp6'] as const).map(async (name) => {
        // Without IPv6 its tables do not exist.
        const text = await readFile(`/proc/net/${name}`, 'utf8').catch(() => '');
        return parseListeners(name.startsWith('tcp') ? 'tcp' : 'udp', text);
      });
      const listeners = (await Promise.all(tables)).flat();
      return { taken: ports.filter((port) => listeners.some((listener) => collides(port, listener))) };
    },
    addresses: () => Promise.resolve({ addresses: machineAddresses() }),
    purge: nothing,
  };
}

const machineAddresses = (): readonly string[] =>
  Object.values(networkInterfaces())
    .flatMap((held = []) => held.map(({ address }) => address))
    .sort();
