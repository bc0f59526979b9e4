/**
 * Streams over WebSocket and TLS 1.3, both ends proven by certificates of the cluster's authority. Certificates are asked
 * for anew at each connection; a connection does not outlive the certificate it was made with.
 */
import { coded, reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { MemberAddress } from '../../protocols/membership/model.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { Peer } from '../../protocols/wire/calls.ts';
import type { TlsIdentity } from '../secure/tls-identity.ts';
import type { StreamConnection, StreamLink } from '../stream-link.ts';
import { WebSocketConnection, type ProvenSocket } from './connection.ts';
import { dialWebSocket } from './dial.ts';
import { openClusterPort, type ClusterPort, type Refused, type RequestHandler } from './port.ts';

export interface WebSocketLinkOptions {
  /** An address of this machine; port 0 takes a free one. */
  readonly address: MemberAddress;
  /** What this node shows and whom it trusts, now. */
  readonly tls: () => TlsIdentity;
  readonly clock: Clock;
}

export interface WebSocketLink extends StreamLink {
  /** Requests of who has no certificate: on exactly this path. */
  onRequest(path: string, handler: RequestHandler): void;
  /** `tls` answers something else from now on: connections that come in are shown it. */
  renew(): void;
}

/** Throws HM-CLUSTER-LISTEN when the address cannot be listened on. */
export async function openWebSocketLink(options: WebSocketLinkOptions): Promise<WebSocketLink> {
  const refused = { crowded: 0, slow: 0, tls: 0, http: 0, path: 0, certificate: 0 } as const;
  const link: OpenLink = new OpenLink(options, { ...refused });
  link.port = await openClusterPort({
    ...options,
    refused: link.counts.refused,
    opened: (proven) => link.accepted(proven),
  });
  return link;
}

class OpenLink implements WebSocketLink {
  readonly #options: WebSocketLinkOptions;
  readonly #connections = new Set<WebSocketConnection>();
  readonly counts: { dialled: number; accepted: number; readonly refused: Record<Refused, number> };
  #notify: ((connection: StreamConnection) => void) | undefined = undefined;
  #expiry: unknown = undefined;
  #closed = false;
  port!: ClusterPort;

  constructor(options: WebSocketLinkOptions, refused: Record<Refused, number>) {
    this.#options = options;
    this.counts = { dialled: 0, accepted: 0, refused };
    this.#endExpired();
  }

  get address(): MemberAddress {
    return this.port.address;
  }

  onRequest(path: string, handler: RequestHandler): void {
    this.port.onRequest(path, handler);
  }

  renew(): void {
    this.port.renew();
  }

  accept(notify: (connection: StreamConnection) => void): void {
    this.#notify = notify;
  }

  async dial(to: Peer, signal: AbortSignal): Promise<StreamConnection> {
    const { tls, clock } = this.#options;
    if (this.#closed) throw coded('HM-PEER-UNREACHABLE', stopping.message);
    this.counts.dialled += 1;
    return this.#connection(await dialWebSocket(to, { tls: tls(), now: clock.now(), signal }));
  }

  /** For the port. */
  accepted(proven: ProvenSocket): void {
    this.counts.accepted += 1;
    const connection = this.#connection(proven);
    if (this.#notify === undefined || this.#closed) connection.cut();
    else this.#notify(connection);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.clock.clearTimer(this.#expiry);
    const connections = [...this.#connections];
    for (const connection of connections) connection.close(stopping);
    await Promise.all(connections.map(({ over }) => over));
    await this.port.close();
  }

  #connection(proven: ProvenSocket): WebSocketConnection {
    const connection = new WebSocketConnection(proven, this.#options.clock);
    this.#connections.add(connection);
    void connection.over.then(() => this.#connections.delete(connection));
    return connection;
  }

  #endExpired(): void {
    const { clock } = this.#options;
    for (const connection of this.#connections)
      if (connection.notAfterMs <= clock.now())
        connection.close(
          reason('HM-PEER-UNREACHABLE', 'The certificate of the connection is out of its term.'),
        );
    this.#expiry = clock.setTimer(limits.certificateLookMs, () => this.#endExpired());
  }
}

const stopping = reason('HM-PEER-UNREACHABLE', 'The node is stopping.');
