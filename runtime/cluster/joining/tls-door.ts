/** The door of a cluster port, reached over TLS and asked over HTTP. */
import { request as httpRequest } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';
import { joinPath } from '../../../protocols/cluster/join.ts';
import { CodedError, coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { MemberAddress } from '../../../protocols/membership/model.ts';
import type { Clock } from '../../../protocols/ports.ts';
import type { ReachDoor, ReachedDoor } from './join-client.ts';

export const reachOverTls: ReachDoor = async (seed, clock) => {
  const socket = await connectTo(seed, clock);
  const shown = socket.getPeerCertificate(true);
  return {
    shown: { leaf: shown.raw, authority: shown.issuerCertificate?.raw },
    ask: (body) => exchange(socket, clock, body),
    close: () => void socket.destroy(),
  };
};

/** Without checks by TLS: the authority is not known yet. What is shown is judged before anything is sent. */
function connectTo(seed: MemberAddress, clock: Clock): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: seed.host, port: seed.port, rejectUnauthorized: false });
    const end = (thrown: Error | undefined): void => {
      clock.clearTimer(timer);
      socket.off('error', end);
      if (!thrown) return resolve(socket);
      socket.destroy();
      reject(coded('HM-CLUSTER-JOIN', thrown.message));
    };
    const timer = clock.setTimer(limits.joinMs, () => end(new Error('no answer in time')));
    socket.once('error', end);
    socket.once('secureConnect', () => {
      // Of a connection that breaks later whoever waits on it hears.
      socket.on('error', () => undefined);
      end(undefined);
    });
  });
}

/** One request on a connection that is open: with a body a POST, without one a GET. */
function exchange(socket: TLSSocket, clock: Clock, body: object | undefined): ReturnType<ReachedDoor['ask']> {
  return new Promise((resolve, reject) => {
    const fail = (thrown: Error): void => {
      clock.clearTimer(timer);
      reject(thrown instanceof CodedError ? thrown : coded('HM-CLUSTER-JOIN', thrown.message));
    };
    const timer = clock.setTimer(limits.joinMs, () => {
      fail(coded('HM-CLUSTER-JOIN', 'no answer in time'));
      socket.destroy();
    });
    const options = {
      method: body ? 'POST' : 'GET',
      path: joinPath,
      headers: { host: 'cluster', 'content-type': 'application/json' },
      createConnection: () => socket,
    };
    const asked = httpRequest(options, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > limits.joinBytes) response.destroy(new Error('the answer is too long'));
        else parts.push(part);
      });
      response.on('error', fail);
      response.on('end', () => {
        clock.clearTimer(timer);
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') });
      });
    });
    asked.on('error', fail);
    asked.end(body && JSON.stringify(body));
  });
}
