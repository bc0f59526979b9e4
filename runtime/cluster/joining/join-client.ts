/**
 * Joining, from the side of who comes. The token's fingerprint says which authority the cluster has: who answers must show
 * a server's certificate of that very authority before a word of the token is sent.
 */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { timeText } from '../../../protocols/cluster/clocks.ts';
import { joinAnswer, type JoinAnswer, type JoinRequest } from '../../../protocols/cluster/join.ts';
import type { JoinToken } from '../../../protocols/cluster/token.ts';
import {
  type CodedError,
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
import { fingerprintOf, requestCertificate } from '../certificates/authority.ts';

/** The door of a cluster port, as one without a certificate has reached it. */
export interface ReachedDoor {
  /** DER: the certificate that was shown, whose key is proven, and its issuer's. */
  readonly shown: { readonly leaf?: Uint8Array | undefined; readonly authority?: Uint8Array | undefined };
  /** Once: with a body a POST, without one a GET. Rejects with HM-CLUSTER-JOIN. */
  ask(body: object | undefined): Promise<{ readonly status: number; readonly text: string }>;
  close(): void;
}

/** Rejects with HM-CLUSTER-JOIN; within `limits.joinMs`. */
export type ReachDoor = (seed: MemberAddress, clock: Clock) => Promise<ReachedDoor>;

interface JoinMeans {
  readonly clock: Clock;
  readonly reach: ReachDoor;
}

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
export async function joinCluster(wish: JoinWish, means: JoinMeans): Promise<JoinAnswer> {
  const silent: string[] = [];
  const asked = new Set<string>();
  const waiting = [...wish.seeds];
  for (let seed = waiting.shift(); seed; seed = waiting.shift()) {
    const where = placeText(seed);
    if (asked.has(where) || asked.size >= limits.clusterSeeds) continue;
    asked.add(where);
    try {
      const told = await askAt(seed, wish, means);
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
  { clock, reach }: JoinMeans,
): Promise<JoinAnswer | { readonly server: MemberAddress }> {
  const door = await reach(seed, clock);
  try {
    const peer = verifyPeer(door.shown, wish.token, placeText(seed), clock.now());
    if (peer.role === 'agent') return serverOf(understood(await door.ask(undefined)));
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
    const told = joinAnswer.safeParse(understood(await door.ask(body)));
    if (!told.success) throw coded('HM-CLUSTER-JOIN', 'the answer is not in form');
    return told.data;
  } finally {
    door.close();
  }
}

/** HM-CLUSTER-FOREIGN unless the chain is of the authority that the token pins; TLS has proven the key of its leaf. */
function verifyPeer(
  { leaf: own, authority: issuer }: ReachedDoor['shown'],
  token: JoinToken,
  where: string,
  now: number,
): PeerIdentity {
  const foreign = (what: string): CodedError =>
    coded('HM-CLUSTER-FOREIGN', `${where} ${what}`, { address: where });
  if (!own || !issuer) throw foreign('shows no authority of a cluster');
  const [leaf, authority] = [new X509Certificate(own), new X509Certificate(issuer)];
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

/** The body of a 200; a refusal is thrown as the other end coded it, where its code is one we know. */
function understood({ status, text }: { readonly status: number; readonly text: string }): unknown {
  let body: { readonly reason?: Partial<Reason> } | null;
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    throw coded('HM-CLUSTER-JOIN', 'what it answers is not JSON');
  }
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
