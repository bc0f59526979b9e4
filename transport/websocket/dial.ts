/** The dialling end: TLS to the address, who answers there must be who is meant, then the upgrade. */
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { CodedError, coded, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Peer } from '../../protocols/wire/calls.ts';
import { reasonTold } from '../../protocols/wire/told-reason.ts';
import type { TlsIdentity } from '../secure/tls-identity.ts';
import { webSocketBounds, type ProvenPeer, type ProvenSocket } from './connection.ts';
import { provenBy, shown, streamPath, streamProtocol } from './port.ts';

/** Of an answer that refuses the upgrade. */
const refusalBytes = 65_536;

/** Rejects with HM-PEER-UNREACHABLE, HM-PEER-IDENTITY, HM-CLUSTER-CERTIFICATE, HM-CLUSTER-FOREIGN. */
export function dialWebSocket(
  { id, address }: Peer,
  { tls, now, signal }: { readonly tls: TlsIdentity; readonly now: number; readonly signal: AbortSignal },
): Promise<ProvenSocket> {
  const { host, port } = address;
  const where = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    let peer: ProvenPeer | undefined;
    let wire: TLSSocket;
    const socket = new WebSocket(`wss://${where}${streamPath}`, streamProtocol, {
      ...webSocketBounds,
      ...shown(tls),
      // No name stands in a certificate: a node is known by its key, below.
      checkServerIdentity: () => false,
      // Judged below, so that a refusal says what is wrong.
      rejectUnauthorized: false,
      handshakeTimeout: limits.peerConnectMs,
      followRedirects: false,
      maxHeaderSize: limits.apiHeaderBytes,
    });
    const aborted = (): void =>
      fail(coded('HM-PEER-UNREACHABLE', `The attempt to reach ${where} was given up.`));
    const fail = (because: Error): void => {
      signal.removeEventListener('abort', aborted);
      reject(because);
      socket.terminate();
    };
    const check = (response: IncomingMessage): void => {
      wire = response.socket as TLSSocket;
      try {
        peer = meant(id, provenBy(wire, tls.label, now), where);
      } catch (thrown) {
        fail(thrown as Error);
      }
    };
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
    socket.on('error', (error) => fail(coded('HM-PEER-UNREACHABLE', `${where}: ${error.message}`)));
    socket.on('upgrade', check);
    socket.on('unexpected-response', (_, response) => {
      check(response);
      if (peer !== undefined) void refusalOf(response).then(fail);
    });
    socket.on('open', () => {
      if (peer === undefined) return;
      signal.removeEventListener('abort', aborted);
      resolve({ socket, wire, peer });
    });
  });
}

/** An empty id stands for any node of the cluster. */
function meant(id: string, peer: ProvenPeer, where: string): ProvenPeer {
  if (id === '' || peer.id === id) return peer;
  throw coded('HM-PEER-IDENTITY', `At ${where} answers ${peer.name} (${peer.id}), not ${id}.`, {
    answers: peer.id,
    meant: id,
  });
}

/** Why the other end did not take this one. */
async function refusalOf(response: IncomingMessage): Promise<Error> {
  let text = '';
  try {
    for await (const part of response) {
      text += String(part);
      if (text.length > refusalBytes) break;
    }
    const because = reasonTold((JSON.parse(text) as { reason?: unknown }).reason);
    if (because !== undefined) return new CodedError(because satisfies Reason);
  } catch {
    // Not in our words.
  }
  return coded('HM-PEER-UNREACHABLE', `The node refused the connection with HTTP ${response.statusCode}.`);
}
