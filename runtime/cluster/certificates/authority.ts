/**
 * Certificates: the authority of a cluster, requests to it, and what it issues. The library that knows X.509 is loaded
 * when the first certificate is made or asked for, so that a node alone never has it.
 */
import { createPrivateKey, createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto';
import type * as X509 from '@peculiar/x509';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Random } from '../../../protocols/ports.ts';
import type { NodeRole } from '../../../protocols/wire/catalogue.ts';
import { nodeIdOf } from '../../../transport/secure/credentials.ts';
import { nodeUri } from '../../../transport/secure/tls-identity.ts';
import { algorithm, crypto, madeKey, privateKeyOf } from './x509-crypto.ts';

/** Who vouches for the nodes of a cluster. */
export interface Authority {
  /** PEM; anybody may read it. */
  readonly certificate: string;
  /** PEM, PKCS #8; stands sealed in the store and nowhere else. */
  readonly key: string;
}

export interface Leaf {
  readonly label: string;
  readonly name: string;
  readonly role: NodeRole;
  /** The node's public key. */
  readonly key: KeyObject;
  /** Wall time, ms since 1970. */
  readonly now: number;
  /** How long it is good; `limits.certificateMs` unless it is given. */
  readonly termMs?: number;
}

let loaded: Promise<typeof X509> | undefined;

/** Read once: from then on nothing here waits for real time. */
export function library(): Promise<typeof X509> {
  return (loaded ??= import('./x509-library.ts').then(({ x509 }) => {
    x509.cryptoProvider.set(crypto as never);
    return x509;
  }));
}

/** A new authority with a key of its own. */
export async function makeAuthority(
  random: Random,
  { label, now }: { readonly label: string; readonly now: number },
): Promise<Authority> {
  const x509 = await library();
  const key = privateKeyOf(random.hex(32));
  const keys = { privateKey: madeKey(key), publicKey: madeKey(createPublicKey(key)) };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(random),
    name: `CN=Hivemind ${label}`,
    notBefore: new Date(now - limits.clusterSkewMs),
    notAfter: new Date(now + limits.authorityMs),
    signingAlgorithm: algorithm,
    keys: keys as never,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
    ],
  });
  return {
    certificate: certificate.toString('pem'),
    key: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
  };
}

/** The authority's word on a node's key, PEM. */
export async function issueCertificate(random: Random, authority: Authority, leaf: Leaf): Promise<string> {
  const x509 = await library();
  const { label, name, role, key, now, termMs = limits.certificateMs } = leaf;
  const issuer = new x509.X509Certificate(authority.certificate);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(random),
    subject: [{ CN: [name] }],
    issuer: issuer.subjectName,
    // A node whose clock is a little behind must not find it to be of the future.
    notBefore: new Date(now - limits.clusterSkewMs),
    notAfter: new Date(now + termMs),
    signingAlgorithm: algorithm,
    publicKey: key.export({ format: 'der', type: 'spki' }),
    signingKey: madeKey(createPrivateKey(authority.key)) as never,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: nodeUri({ label, id: nodeIdOf(key), role }) },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return certificate.toString('pem');
}

/** A node asks for a certificate on its key, and proves that it has it. PEM. */
export async function requestCertificate(nodeKey: KeyObject, name: string): Promise<string> {
  const x509 = await library();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [name] }],
    signingAlgorithm: algorithm,
    keys: { privateKey: madeKey(nodeKey), publicKey: madeKey(createPublicKey(nodeKey)) } as never,
  });
  return request.toString('pem');
}

/** The key that a request is about. HM-CLUSTER-CERTIFICATE unless it is an Ed25519 key that signed it. */
export async function keyOfRequest(request: string): Promise<KeyObject> {
  const x509 = await library();
  const refuse = (): Error =>
    coded('HM-CLUSTER-CERTIFICATE', 'the request for a certificate is not signed by its key');
  try {
    const read = new x509.Pkcs10CertificateRequest(request);
    const key = createPublicKey({ key: Buffer.from(read.publicKey.rawData), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType === 'ed25519' && (await read.verify())) return key;
  } catch {
    throw refuse();
  }
  throw refuse();
}

/** SHA-256 of an authority's certificate, base64url: what join tokens pin. */
export function fingerprintOf(certificate: X509Certificate): string {
  return Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
}

/** Positive, and never drawn twice. */
const serial = (random: Random): string => `4${random.hex(16).slice(1)}`;
