/**
 * Joining, from the side of who comes. The token's fingerprint says which authority the cluster has: who answers must show
 * a server's certificate of that very authority before a word of the token is sent.
 */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';
import { timeText } from '../../../protocols/cluster/clocks.ts';
import { joinAnswer, joinPath, type JoinAnswer, type JoinRequest } from '../../../protocols/cluster/join.ts';
import type { JoinToken } from '../../../protocols/cluster/token.ts';
import {
  CodedError,
  catalogue,
  coded,
  reasonOf,
  type ErrorCode,
  type Reason,
} from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { MemberAddress } from '../../../protocols/membership/model.ts';
import type { Clock } from '../../../protocols/ports.ts';
import { peerOf, termOf, type PeerIdentity } from '../../../transport/secure/tls-identity.ts';
import { fingerprintOf, requestCertificate } from '../authority.ts';

export interface JoinWish extends Pick<JoinRequest, 'name' | 'address' | 'zone' | 'labels'> {
  readonly token: JoinToken;
  /** The node's private key. */
  readonly key: KeyObject;
  readonly seeds: readonly MemberAddress[];
}

/**
 * Asks the seeds one after the other; an agent among them says where its server is. HM-CLUSTER-JOIN when none can be
 * reached: that may be tried again. HM-CLUSTER-FOREIGN, HM-CLUSTER-CLOCK and what the server refuses are final.
 */
export async function joinCluster(wish: JoinWish, clock: Clock): Promise<JoinAnswer> {
  const silent: string[] = [];
  const asked = new Set<string>();
  const waiting = [...wish.seeds];
  for (let seed = waiting.shift(); seed; seed = waiting.shift()) {
    const where = placeText(seed);
    if (asked.has(where) || asked.size >= limits.clusterSeeds) continue;
    asked.add(where);
    try {
      const told = await askAt(seed, wish, clock);
      if ('certificate' in told) return told;
      waiting.unshift(told.server);
    } catch (thrown) {
      const because = reasonOf(thrown);
      if (because.code !== 'HM-CLUSTER-JOIN') throw thrown;
      silent.push(`${where}: ${because.message}`);
    }
  }
  throw coded('HM-CLUSTER-JOIN', `no server of the cluster could be asked: ${silent.join('; ')}`, {
    seeds: wish.seeds.map(placeText).join(','),
  });
}

async function askAt(
  seed: MemberAddress,
  wish: JoinWish,
  clock: Clock,
): Promise<JoinAnswer | { readonly server: MemberAddress }> {
  const socket = await connectTo(seed, clock);
  try {
    const peer = verifyPeer(socket, wish.token, placeText(seed), clock.now());
    if (peer.role === 'agent') return serverOf(await exchange(socket, clock, undefined));
    const { name, address, zone, labels, key, token } = wish;
    const body: JoinRequest = {
      token: { id: token.id, secret: token.secret },
      name,
      request: await requestCertificate(key, name),
      address,
      zone,
      labels,
      now: clock.now(),
    };
    const told = joinAnswer.safeParse(await exchange(socket, clock, body));
    if (!told.success) throw coded('HM-CLUSTER-JOIN', 'the answer is not in form');
    return told.data;
  } finally {
    socket.destroy();
  }
}

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

/** HM-CLUSTER-FOREIGN unless the chain is of the authority that the token pins; TLS has proven the key of its leaf. */
function verifyPeer(socket: TLSSocket, token: JoinToken, where: string, now: number): PeerIdentity {
  const shown = socket.getPeerCertificate(true);
  const raw = shown.issuerCertificate?.raw as Buffer | undefined;
  const foreign = (what: string): CodedError =>
    coded('HM-CLUSTER-FOREIGN', `${where} ${what}`, { address: where });
  if (!shown.raw || !raw) throw foreign('shows no authority of a cluster');
  const [leaf, authority] = [new X509Certificate(shown.raw), new X509Certificate(raw)];
  if (fingerprintOf(authority) !== token.fingerprint)
    throw foreign('is of another cluster than the one the token was made in');
  if (!authority.ca || !leaf.checkIssued(authority) || !leaf.verify(authority.publicKey))
    throw foreign('shows a certificate that the authority did not issue');
  const [from, to] = termOf(leaf);
  // A server renews its own long before: what is out of its term is so by the clock here.
  if (now < from - limits.clusterSkewMs || now >= to)
    throw coded(
      'HM-CLUSTER-CLOCK',
      `the clock here says ${timeText(now)}, and the certificate of ${where} is valid from ${timeText(from)} to ${timeText(to)}`,
      { here: timeText(now), from: timeText(from), to: timeText(to) },
    );
  const label = /^URI:hivemind:\/\/([^/]+)\//.exec(leaf.subjectAltName ?? '')?.[1] ?? '';
  return peerOf(leaf, { label, now });
}

/** One request on a connection that is open: with a body a POST, without one a GET. */
function exchange(socket: TLSSocket, clock: Clock, body: object | undefined): Promise<unknown> {
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
        try {
          resolve(understood(response.statusCode ?? 0, Buffer.concat(parts).toString('utf8')));
        } catch (thrown) {
          fail(thrown as Error);
        }
      });
    });
    asked.on('error', fail);
    asked.end(body && JSON.stringify(body));
  });
}

/** The body of a 200; a refusal is thrown as the other end coded it, where its code is one we know. */
function understood(status: number, text: string): unknown {
  const body = JSON.parse(text) as { readonly reason?: Partial<Reason> } | null;
  if (status === 200) return body;
  const { code, message, hint } = body?.reason ?? {};
  if (typeof code !== 'string' || !(code in catalogue) || typeof message !== 'string')
    throw coded('HM-CLUSTER-JOIN', `it answers with status ${status}`);
  throw coded(code as ErrorCode, message, {}, typeof hint === 'string' ? hint : undefined);
}

function serverOf(told: unknown): { readonly server: MemberAddress } {
  const { server } = (told ?? {}) as { server?: Partial<MemberAddress> };
  if (typeof server?.host !== 'string' || !Number.isInteger(server.port))
    throw coded('HM-CLUSTER-JOIN', 'it is an agent, and does not know its server');
  return { server: { host: server.host, port: server.port! } };
}

const placeText = ({ host, port }: MemberAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
