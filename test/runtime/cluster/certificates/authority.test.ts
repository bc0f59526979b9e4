/** Certificates of a cluster: what Node's own TLS takes of them, and what is refused when one is read. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { reasonOf, type ErrorCode } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import {
  fingerprintOf,
  issueCertificate,
  keyOfRequest,
  makeAuthority,
  requestCertificate,
} from '../../../../runtime/cluster/certificates/authority.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { nodeIdOf } from '../../../../transport/secure/credentials.ts';
import { peerOf } from '../../../../transport/secure/tls-identity.ts';

const now = Date.UTC(2026, 10, 26, 3);
const random = seededRandom(1);
const label = 'c0ffee';

async function issued(at = now) {
  const authority = await makeAuthority(random, { label, now: at });
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const pem = await issueCertificate(random, authority, {
    label,
    name: 'n1',
    role: 'agent',
    key: publicKey,
    now: at,
  });
  return { authority, publicKey, privateKey, certificate: new X509Certificate(pem) };
}

function codeOf(run: () => unknown): ErrorCode | 'none' {
  try {
    run();
    return 'none';
  } catch (thrown) {
    return reasonOf(thrown).code;
  }
}

test('a certificate says who the node is, for a term, in the word of the authority', async () => {
  const { authority, publicKey, certificate } = await issued();
  const root = new X509Certificate(authority.certificate);
  expect(certificate.verify(root.publicKey)).toBe(true);
  expect(certificate.checkIssued(root)).toBe(true);
  expect(root.ca).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(root.checkPrivateKey(createPrivateKey(authority.key))).toBe(true);
  expect(fingerprintOf(root)).toMatch(/^[\w-]{43}$/);
  expect(peerOf(certificate, { label, now })).toEqual({
    id: nodeIdOf(publicKey),
    name: 'n1',
    role: 'agent',
    notAfterMs: now + limits.certificateMs,
  });
});

test('a certificate of another cluster, or out of its term, is refused', async () => {
  const { certificate } = await issued();
  expect(codeOf(() => peerOf(certificate, { label: 'other', now }))).toBe('HM-CLUSTER-FOREIGN');
  expect(codeOf(() => peerOf(certificate, { label, now: now + limits.certificateMs }))).toBe(
    'HM-CLUSTER-CERTIFICATE',
  );
  expect(codeOf(() => peerOf(certificate, { label, now: now - 3 * limits.clusterSkewMs }))).toBe(
    'HM-CLUSTER-CERTIFICATE',
  );
  expect(codeOf(() => peerOf(certificate, { label, now: now - limits.clusterSkewMs }))).toBe('none');
});

test("the authority's own certificate is no node's", async () => {
  const { authority } = await issued();
  const root = new X509Certificate(authority.certificate);
  expect(codeOf(() => peerOf(root, { label, now }))).toBe('HM-CLUSTER-CERTIFICATE');
});

test('a request for a certificate proves the key', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const request = await requestCertificate(privateKey, 'n2');
  expect(nodeIdOf(await keyOfRequest(request))).toBe(nodeIdOf(publicKey));
  expect(nodeIdOf(createPublicKey(privateKey))).toBe(nodeIdOf(publicKey));
  const [first, body, ...rest] = request.split('\n');
  const broken = [first, body!.replace(/^.{40}/, (head) => head.split('').reverse().join('')), ...rest].join(
    '\n',
  );
  for (const text of [broken, '', 'no request', request.slice(0, 120)])
    await expect(keyOfRequest(text).catch((thrown: unknown) => reasonOf(thrown).code)).resolves.toBe(
      'HM-CLUSTER-CERTIFICATE',
    );
});
