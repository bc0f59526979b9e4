/**
 * The network of a simulated machine: what stands there outlives every life of the daemon, as links and rules do.
 * It has the Linux driver's rules, not its packets: a process ends and its link is gone, a bridge that is missing
 * refuses attachments, two nodes' tags share nothing.
 */
import { coded } from '../../../../protocols/errors.ts';
import type {
  Attachment,
  JoinedNetwork,
  NodeNetwork,
  Publication,
} from '../../../../protocols/network/model.ts';
import { joinedOrOpen } from '../../../../protocols/network/networks.ts';
import type { NetworkDriver } from '../../../../protocols/ports.ts';
import { checkRequest } from '../requests.ts';

type HostPort = Parameters<NetworkDriver['taken']>[0]['ports'][number];

export class MemoryNetwork implements NetworkDriver {
  node: NodeNetwork | undefined;
  readonly attachments = new Map<
    string,
    Attachment & { readonly pid: number; readonly networks: readonly JoinedNetwork[] }
  >();
  publications: readonly Publication[] = [];
  /** Host ports that something else listens on. */
  readonly foreign = new Set<number>();
  /** Addresses of the machine. */
  own: readonly string[] = ['127.0.0.1', '::1', '192.0.2.1'];
  /** Changes made to the machine. */
  changes = 0;

  ensureNode: NetworkDriver['ensureNode'] = async (node) => {
    if (JSON.stringify(node) !== JSON.stringify(this.node)) this.changes += 1;
    this.node = node;
    return {};
  };

  attach: NetworkDriver['attach'] = async (request) => {
    const { id, pid, address, networks } = request;
    if (!this.node) throw coded('HM-NETWORK-DRIVER', 'the bridge does not exist', { id });
    checkRequest(this.node, request);
    const known = this.attachments.get(id);
    if (known?.address !== address || known.pid !== pid) this.changes += 1;
    const fixed = (networks ?? []).flatMap((one) => one.address ?? []);
    const more = fixed.length > 0 ? { fixed } : {};
    this.attachments.set(id, { id, pid, address, ...more, networks: joinedOrOpen(networks) });
    return {};
  };

  detach: NetworkDriver['detach'] = async ({ id }) => {
    if (this.attachments.delete(id)) this.changes += 1;
    return {};
  };

  list: NetworkDriver['list'] = async () => ({
    attachments: [...this.attachments.values()].map(({ id, address, fixed }) => ({
      id,
      address,
      ...(fixed ? { fixed } : {}),
    })),
  });

  /** No packets here: nothing has gone over any link. */
  traffic: NetworkDriver['traffic'] = async ({ ids }) => {
    const none = { bytes: 0, packets: 0, errors: 0, dropped: 0 };
    const attached = ids.filter((id) => this.attachments.has(id));
    return { traffic: attached.map((id) => ({ id, received: none, sent: none })) };
  };

  publish: NetworkDriver['publish'] = async ({ publications }) => {
    if (JSON.stringify(publications) !== JSON.stringify(this.publications)) this.changes += 1;
    this.publications = publications;
    return {};
  };

  taken: NetworkDriver['taken'] = async ({ ports }) => ({
    taken: ports.filter((port: HostPort) => this.foreign.has(port.hostPort)),
  });

  addresses: NetworkDriver['addresses'] = async () => ({
    addresses: [...this.own, ...(this.node?.blocks ?? []).map(({ gateway }) => gateway)].sort(),
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
