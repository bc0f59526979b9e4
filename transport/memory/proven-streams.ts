/**
 * Streams in memory between ends that prove themselves by certificates, as TLS has them do: each shows what it has, and
 * judges the other by its own clock and the authorities it trusts. A connection does not outlive the certificate it was
 * made with. Who has no certificate yet reaches a door, and is shown whose it is. What TLS itself does, the proof that
 * whoever shows a certificate has its key, is taken for granted here.
 */
import { X509Certificate } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { coded, reason, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { MemberAddress } from '../../protocols/membership/model.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { Peer } from '../../protocols/wire/calls.ts';
import { peerOf, type PeerIdentity, type TlsIdentity } from '../secure/tls-identity.ts';
import type { StreamConnection, StreamIdentity, StreamLink } from '../stream-link.ts';
import type { Place } from './datagrams.ts';
import { placeOf } from './memory-link.ts';
import type { MemoryStreams } from './streams.ts';

/** What an end shows, and by what it judges. */
export interface Proof {
  readonly tls: () => TlsIdentity;
  now(): number;
  /** Somebody has proven itself. */
  accepted(connection: StreamConnection, peer: PeerIdentity): void;
  /** Somebody without a certificate has come from there. */
  stranger(connection: StreamConnection, from: Place): void;
  refused(): void;
}

export interface ProvenOptions {
  readonly self: StreamIdentity;
  readonly address: MemberAddress;
  /** What this end shows and whom it trusts, now. */
  readonly tls: () => TlsIdentity;
  readonly clock: Clock;
}

/** Throws HM-CLUSTER-LISTEN. */
export function openProvenLink(network: MemoryStreams, options: ProvenOptions): ProvenLink {
  return new ProvenLink(network, options);
}

/** Rejects with HM-PEER-UNREACHABLE. Nothing is known yet of who answers, but what it shows. */
export async function reachStranger(
  network: MemoryStreams,
  from: Place,
  { to, signal }: { readonly to: MemberAddress; readonly signal: AbortSignal },
): Promise<{ readonly connection: StreamConnection; readonly shown: TlsIdentity }> {
  const { identity, proof } = await network.reach(from, to, signal);
  if (!proof) throw coded('HM-PEER-UNREACHABLE', `Nothing is shown at ${placeOf(to)}.`);
  const { dialled, accepted } = network.join(
    { place: from, identity: nobody },
    { place: placeOf(to), identity },
  );
  proof.stranger(accepted, from);
  return { connection: dialled, shown: proof.tls() };
}

const nobody: StreamIdentity = { id: '', name: '', role: 'agent' };

export class ProvenLink implements StreamLink {
  readonly #network: MemoryStreams;
  readonly #options: ProvenOptions;
  readonly counts = { dialled: 0, accepted: 0, refused: { certificate: 0 } };
  /** By connection: the end of the certificate that its other end has shown. */
  readonly #open = new Map<StreamConnection, number>();
  #notify: ((connection: StreamConnection) => void) | undefined;
  #onStranger: ((connection: StreamConnection, from: Place) => void) | undefined;
  #expiry: unknown;
  #closed = false;

  constructor(network: MemoryStreams, options: ProvenOptions) {
    this.#network = network;
    this.#options = options;
    const { self, address, tls, clock } = options;
    network.listen(placeOf(address), {
      identity: self,
      accept: (connection) => end(connection, reason('HM-CLUSTER-CERTIFICATE', 'no certificate was shown')),
      proof: {
        tls,
        now: () => clock.now(),
        accepted: (connection, peer) => {
          this.counts.accepted += 1;
          this.#notify?.(this.#kept(connection, peer));
        },
        stranger: (connection, from) => {
          if (this.#onStranger) this.#onStranger(connection, from);
          else end(connection, stopping);
        },
        refused: () => (this.counts.refused.certificate += 1),
      },
    });
    this.#endExpired();
  }

  get address(): MemberAddress {
    return this.#options.address;
  }

  accept(notify: (connection: StreamConnection) => void): void {
    this.#notify = notify;
  }

  onStranger(notify: (connection: StreamConnection, from: Place) => void): void {
    this.#onStranger = notify;
  }

  async dial(to: Peer, signal: AbortSignal): Promise<StreamConnection> {
    const { self, tls, clock } = this.#options;
    if (this.#closed) throw coded('HM-PEER-UNREACHABLE', stopping.message);
    this.counts.dialled += 1;
    const [here, place] = [placeOf(this.address), placeOf(to.address)];
    const { identity, proof } = await this.#network.reach(here, to.address, signal);
    if (!proof) throw coded('HM-CLUSTER-CERTIFICATE', 'no certificate was shown');
    const own = tls();
    const theirs = judge(proof.tls(), own, clock.now());
    if (to.id !== '' && theirs.id !== to.id)
      throw coded('HM-PEER-IDENTITY', `At ${place} answers ${theirs.name} (${theirs.id}), not ${to.id}.`);
    let mine: PeerIdentity;
    try {
      mine = judge(own, proof.tls(), proof.now());
    } catch (thrown) {
      proof.refused();
      throw thrown;
    }
    const { dialled, accepted } = this.#network.join(
      { place: here, identity: { ...self, id: mine.id, name: mine.name, role: mine.role } },
      { place, identity: { ...identity, id: theirs.id, name: theirs.name, role: theirs.role } },
    );
    proof.accepted(accepted, mine);
    return this.#kept(dialled, theirs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#options.clock.clearTimer(this.#expiry);
    this.#network.leave(placeOf(this.address), stopping);
  }

  #kept(connection: StreamConnection, { notAfterMs }: PeerIdentity): StreamConnection {
    this.#open.set(connection, notAfterMs);
    const { hear } = connection;
    connection.hear = (ears) =>
      hear.call(connection, {
        frame: (bytes) => ears.frame(bytes),
        drained: () => ears.drained(),
        ended: (because) => {
          this.#open.delete(connection);
          ears.ended(because);
        },
      });
    return connection;
  }

  #endExpired(): void {
    const { clock } = this.#options;
    for (const [connection, notAfterMs] of this.#open)
      if (notAfterMs <= clock.now())
        connection.close(
          reason('HM-PEER-UNREACHABLE', 'The certificate of the connection is out of its term.'),
        );
    this.#expiry = clock.setTimer(limits.certificateLookMs, () => this.#endExpired());
  }
}

const stopping = reason('HM-PEER-UNREACHABLE', 'The node is stopping.');

function end(connection: StreamConnection, because: Reason): void {
  connection.hear({ frame: () => {}, drained: () => {}, ended: () => {} });
  connection.close(because);
}

/** Of the bytes of a certificate and of one that may have issued it. */
const read = new LRUCache<string, X509Certificate>({ max: 512 });
const issued = new LRUCache<string, boolean>({ max: 512 });

export function certificatesIn(pem: string): readonly X509Certificate[] {
  return (pem.match(/-----BEGIN [^]+?-----END CERTIFICATE-----/g) ?? []).map((text) => {
    const known = read.get(text);
    if (known) return known;
    const made = new X509Certificate(text);
    read.set(text, made);
    return made;
  });
}

/** As TLS and the cluster port judge what an end shows. HM-CLUSTER-CERTIFICATE, HM-CLUSTER-FOREIGN. */
function judge(shown: TlsIdentity, by: TlsIdentity, now: number): PeerIdentity {
  const [leaf] = certificatesIn(shown.certificate);
  if (!leaf) throw coded('HM-CLUSTER-CERTIFICATE', 'no certificate was shown');
  const peer = peerOf(leaf, { label: by.label, now });
  if (by.authorities.flatMap(certificatesIn).some((authority) => isIssuedBy(leaf, authority))) return peer;
  throw coded(
    'HM-CLUSTER-CERTIFICATE',
    `the certificate of ${peer.name} is not good: nobody known issued it`,
  );
}

function isIssuedBy(leaf: X509Certificate, authority: X509Certificate): boolean {
  const key = `${leaf.fingerprint256} ${authority.fingerprint256}`;
  const known = issued.get(key);
  if (known !== undefined) return known;
  const good = leaf.checkIssued(authority) && leaf.verify(authority.publicKey);
  issued.set(key, good);
  return good;
}
