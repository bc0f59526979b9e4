/**
 * Who a node is on TLS connections: what an end shows and whom it trusts, and who the other end is by its certificate.
 * Certificates are made elsewhere (`runtime/cluster/certificates/authority.ts`); reading one needs nothing but Node.
 * No host stands in one: ends of TLS give `checkServerIdentity: () => undefined` and compare `peerOf(…).id`.
 */
import type { X509Certificate } from 'node:crypto';
import { coded, type CodedError } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { timeText } from '../../protocols/cluster/clocks.ts';
import type { NodeId } from '../../protocols/membership/model.ts';
import type { NodeRole } from '../../protocols/wire/catalogue.ts';
import { nodeIdOf } from './credentials.ts';

/** What a node shows at its connections. A value: a renewed certificate makes a new one. */
export interface TlsIdentity {
  /** PEM, PKCS #8. */
  readonly key: string;
  /** PEM: the node's own, then its authority's. */
  readonly certificate: string;
  /** PEM, whom it trusts: two while one is exchanged. */
  readonly authorities: readonly string[];
  /** Of the cluster. */
  readonly label: string;
}

/** A node as its certificate says. */
export interface PeerIdentity {
  readonly id: NodeId;
  readonly name: string;
  readonly role: NodeRole;
  /** End of the certificate's term, ms since 1970. */
  readonly notAfterMs: number;
}

/** The name of a node in a certificate: its subject alternative name, a URI. */
export function nodeUri({ label, id, role }: { label: string; id: NodeId; role: NodeRole }): string {
  return `hivemind://${label}/node/${id}?role=${role}`;
}

/**
 * Who a certificate is of. Its chain has been verified by TLS; here it is: of this cluster, of a node, of the key it
 * speaks of, and in its term. Throws HM-CLUSTER-CERTIFICATE, HM-CLUSTER-FOREIGN (another label).
 */
export function peerOf(
  certificate: X509Certificate,
  { label, now }: { readonly label: string; readonly now: number },
): PeerIdentity {
  const uri = /^URI:hivemind:\/\/([^/,]+)\/node\/([0-9a-f]{32})\?role=(server|agent)$/.exec(
    certificate.subjectAltName ?? '',
  );
  const name = /^CN=(.+)$/m.exec(certificate.subject)?.[1];
  if (!uri || name === undefined) throw refused('the certificate is not one of a node');
  const [, theirs, id, role] = uri as unknown as [string, string, NodeId, NodeRole];
  if (theirs !== label)
    throw coded('HM-CLUSTER-FOREIGN', `the node ${name} is of the cluster ${theirs}, this one is ${label}`, {
      node: name,
      cluster: theirs,
    });
  const { publicKey } = certificate;
  if (publicKey.asymmetricKeyType !== 'ed25519' || nodeIdOf(publicKey) !== id)
    throw refused(`the certificate of ${name} speaks of another key than its own`);
  const [from, to] = termOf(certificate);
  // Our own clock may be behind by what is allowed.
  if (now < from - limits.clusterSkewMs || now >= to)
    throw refused(
      `the certificate of ${name} is valid from ${timeText(from)} to ${timeText(to)}, and it is ${timeText(now)}`,
    );
  return { id, name, role, notAfterMs: to };
}

/** First and last moment of a certificate, ms since 1970. */
export function termOf(certificate: X509Certificate): readonly [number, number] {
  return [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
}

const refused = (message: string): CodedError => coded('HM-CLUSTER-CERTIFICATE', message);
