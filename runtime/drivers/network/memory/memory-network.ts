/**
 * The network of a simulated machine: what stands there outlives every life of the daemon, as links and rules do.
 * It has the Linux driver's rules, not its packets: a process ends and its link is gone, a bridge that is missing
 * refuses attachments, two nodes' tags share nothing.
 */
import { coded } from '../../../../protocols/errors.ts';
import { holding } from '../../../../protocols/network/cidr.ts';
import type { Attachment, NodeNetwork, Publication } from '../../../../protocols/network/model.ts';
import type { NetworkDriver } from '../../../../protocols/ports.ts';

type HostPort = Parameters<NetworkDriver['taken']>[0]['ports'][number];

export class MemoryNetwork implements NetworkDriver {
  node: NodeNetwork | undefined;
  readonly attachments = new Map<string, Attachment & { readonly pid: number }>();
  publications: readonly Publication[] = [];
  /** Host ports that something else listens on. */
  readonly foreign = new Set<number>();
  /** Changes made to the machine. */
  changes = 0;

  ensureNode: NetworkDriver['ensureNode'] = async (node) => {
    if (JSON.stringify(node) !== JSON.stringify(this.node)) this.changes += 1;
    this.node = node;
    return {};
  };

  attach: NetworkDriver['attach'] = async ({ id, pid, address }) => {
    if (!this.node) throw coded('HM-NETWORK-DRIVER', 'the bridge does not exist', { id });
    const { blocks } = this.node;
    const block = holding(blocks, address);
    if (!block || block.gateway === address) {
      const all = blocks.map((one) => one.block).join(', ');
      throw coded('HM-NETWORK-DRIVER', `${address} is not a container's address in ${all}`, { id, address });
    }
    const known = this.attachments.get(id);
    if (known?.address !== address || known.pid !== pid) this.changes += 1;
    this.attachments.set(id, { id, pid, address });
    return {};
  };

  detach: NetworkDriver['detach'] = async ({ id }) => {
    if (this.attachments.delete(id)) this.changes += 1;
    return {};
  };

  list: NetworkDriver['list'] = async () => ({
    attachments: [...this.attachments.values()].map(({ id, address }) => ({ id, address })),
  });

  publish: NetworkDriver['publish'] = async ({ publications }) => {
    if (JSON.stringify(publications) !== JSON.stringify(this.publications)) this.changes += 1;
    this.publications = publications;
    return {};
  };

  taken: NetworkDriver['taken'] = async ({ ports }) => ({
    taken: ports.filter((port: HostPort) => this.foreign.has(port.hostPort)),
  });

  purge: NetworkDriver['purge'] = async () => {
    if (this.node || this.attachments.size > 0 || this.publications.length > 0) this.changes += 1;
    this.node = undefined;
    this.attachments.clear();
    this.publications = [];
    return {};
  };

  /** A container's process is gone: its namespace, and the link in it, go with it. */
  ended(pid: number): void {
    for (const [id, known] of this.attachments) if (known.pid === pid) this.attachments.delete(id);
  }

  /** Somebody flushed what was here: the machine restarted, or an operator cleaned up. */
  lose(): void {
    this.node = undefined;
    this.attachments.clear();
    this.publications = [];
  }
}
