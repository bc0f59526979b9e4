/**
 * The cluster port: TLS 1.3, an upgrade to a WebSocket for who shows a certificate of the cluster, and a few paths for
 * who has none yet. Everything else is refused, counted, and costs little.
 */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { WebSocketServer } from 'ws';
import { catalogue, coded, reason, reasonOf, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { MemberAddress } from '../../protocols/membership/model.ts';
import type { Clock } from '../../protocols/ports.ts';
import { tellReason } from '../../protocols/wire/told-reason.ts';
import { peerOf, type TlsIdentity } from '../secure/tls-identity.ts';
import { webSocketBounds, type ProvenPeer, type ProvenSocket } from './connection.ts';
import { Unproven } from './unproven.ts';

export const streamPath = '/v1/streams';
export const streamProtocol = 'hivemind.streams';

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** Why something that came in was refused. */
export type Refused = 'crowded' | 'slow' | 'tls' | 'http' | 'path' | 'certificate';

export interface PortOptions {
  readonly address: MemberAddress;
  readonly tls: () => TlsIdentity;
  readonly clock: Clock;
  readonly refused: Record<Refused, number>;
  readonly opened: (proven: ProvenSocket) => void;
}

export interface ClusterPort {
  readonly address: MemberAddress;
  onRequest(path: string, handler: RequestHandler): void;
  renew(): void;
  close(): Promise<void>;
}

/** What TLS is given by both ends. */
export function shown({ key, certificate, authorities }: TlsIdentity) {
  return { key, cert: certificate, ca: [...authorities], minVersion: 'TLSv1.3' as const };
}

/** Throws HM-CLUSTER-LISTEN. */
export async function openClusterPort(options: PortOptions): Promise<ClusterPort> {
  const { address, tls, clock, refused } = options;
  const handlers = new Map<string, RequestHandler>();
  const unproven = new Unproven(clock, () => (refused.slow += 1));
  const server = createServer({
    ...shown(tls()),
    requestCert: true,
    // Who has no certificate yet may ask to join; everything else is refused below.
    rejectUnauthorized: false,
    // Each connection proves itself anew.
    secureOptions: constants.SSL_OP_NO_TICKET,
    handshakeTimeout: limits.peerConnectMs,
    headersTimeout: limits.peerConnectMs,
    requestTimeout: limits.peerConnectMs,
    connectionsCheckingInterval: limits.peerConnectMs / 2,
    keepAliveTimeout: 1,
    maxHeaderSize: limits.apiHeaderBytes,
  });
  server.on('connection', (socket: Socket) => {
    if (unproven.take(socket)) return;
    refused.crowded += 1;
    socket.destroy();
  });
  server.on('tlsClientError', () => (refused.tls += 1));
  server.on('clientError', (_, socket) => {
    refused.http += 1;
    socket.destroy();
  });
  server.on('request', (request, response) => {
    const handler = handlers.get(pathOf(request));
    if (handler === undefined) {
      refused.path += 1;
      return refuse(response, reason('HM-API-ROUTE'));
    }
    unproven.asking(request.socket);
    handler(request, response);
  });
  serveUpgrades(server, options, unproven);
  await listening(server, address);
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: address.host, port },
    onRequest: (path, handler) => void handlers.set(path, handler),
    renew: () => server.setSecureContext(shown(tls())),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      unproven.cut();
      await closed;
    },
  };
}

function serveUpgrades(server: Server, options: PortOptions, unproven: Unproven): void {
  const { tls, clock, refused, opened } = options;
  const sockets = new WebSocketServer({
    ...webSocketBounds,
    noServer: true,
    clientTracking: false,
    handleProtocols: (offered) => (offered.has(streamProtocol) ? streamProtocol : false),
  });
  // What is wrong with an upgrade is answered by ws itself.
  sockets.on('wsClientError', (_, socket) => {
    refused.http += 1;
    socket.destroy();
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    if (pathOf(request) !== streamPath) {
      refused.path += 1;
      return refuseUpgrade(socket, reason('HM-API-ROUTE'));
    }
    let peer: ProvenPeer;
    try {
      peer = provenBy(request.socket as TLSSocket, tls().label, clock.now());
    } catch (thrown) {
      refused.certificate += 1;
      return refuseUpgrade(socket, reasonOf(thrown));
    }
    unproven.proven(request.socket);
    sockets.handleUpgrade(request, socket, head, (upgraded) =>
      opened({ socket: upgraded, wire: socket, peer }),
    );
  });
}

/** Who the other end of a TLS connection is. Throws HM-CLUSTER-CERTIFICATE, HM-CLUSTER-FOREIGN. */
export function provenBy(socket: TLSSocket, label: string, now: number): ProvenPeer {
  const certificate = socket.getPeerX509Certificate?.();
  if (certificate === undefined) throw coded('HM-CLUSTER-CERTIFICATE', 'no certificate was shown');
  // The label first: of another cluster is another authority's.
  const peer = peerOf(certificate, { label, now });
  if (!socket.authorized)
    throw coded(
      'HM-CLUSTER-CERTIFICATE',
      `the certificate of ${peer.name} is not good: ${String(socket.authorizationError)}`,
    );
  return peer;
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0]!;
}

function bodyOf(because: Reason): string {
  return JSON.stringify({ reason: tellReason(because) });
}

function refuse(response: ServerResponse, because: Reason): void {
  response.writeHead(catalogue[because.code].status, {
    'content-type': 'application/json',
    connection: 'close',
  });
  response.end(bodyOf(because));
}

function refuseUpgrade(socket: Duplex, because: Reason): void {
  const body = bodyOf(because);
  const head = [
    'HTTP/1.1 403 Forbidden',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

async function listening(server: Server, { host, port }: MemberAddress): Promise<void> {
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    throw coded('HM-CLUSTER-LISTEN', `cannot listen on TCP ${host} port ${port}: ${code}`);
  }
}
