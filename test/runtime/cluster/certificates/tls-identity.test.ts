/** Two ends of TLS with certificates of a cluster: they know each other by the key, and strangers are known as such. */
import { generateKeyPairSync, type X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import type { NodeRole } from '../../../../protocols/wire/catalogue.ts';
import {
  issueCertificate,
  makeAuthority,
  type Authority,
} from '../../../../runtime/cluster/certificates/authority.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { realClock } from '../../../../runtime/world/real-clock.ts';
import { nodeIdOf } from '../../../../transport/secure/credentials.ts';
import { peerOf, type TlsIdentity } from '../../../../transport/secure/tls-identity.ts';

const random = seededRandom(3);
const label = 'c0ffee';
const now = realClock.now();

async function identity(authority: Authority, role: NodeRole): Promise<TlsIdentity & { id: string }> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const leaf = await issueCertificate(random, authority, { label, name: role, role, key: publicKey, now });
  return {
    id: nodeIdOf(publicKey),
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    certificate: `${leaf}\n${authority.certificate}`,
    authorities: [authority.certificate],
    label,
  };
}

/** Who each end says the other is; `refused` when TLS does not know the authority. */
async function meet(server: TlsIdentity, client: TlsIdentity): Promise<readonly string[]> {
  const ends = ({ key, certificate: cert, authorities }: TlsIdentity) => ({
    key,
    cert,
    ca: [...authorities],
  });
  const listener = createServer({ ...ends(server), requestCert: true, rejectUnauthorized: false });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>;
  const { port } = listener.address() as AddressInfo;
  // A node is known by its key and not by its address: no host stands in a certificate.
  const checkServerIdentity = () => undefined;
  const lenient = { rejectUnauthorized: false, checkServerIdentity };
  const socket = connect({ ...ends(client), ...lenient, host: '127.0.0.1', port });
  await once(socket, 'secureConnect');
  const [other] = await accepted;
  const name = (end: TLSSocket): string =>
    end.authorized ? peerOf(end.getPeerX509Certificate() as X509Certificate, { label, now }).id : 'refused';
  const names = [name(socket), name(other)];
  socket.destroy();
  other.destroy();
  listener.close();
  return names;
}

test('both ends know each other by their keys, and whom another authority vouches for is refused', async () => {
  const authority = await makeAuthority(random, { label, now });
  const stranger = await makeAuthority(random, { label, now });
  const [server, agent, foreign] = [
    await identity(authority, 'server'),
    await identity(authority, 'agent'),
    await identity(stranger, 'agent'),
  ];
  expect(await meet(server, agent)).toEqual([server.id, agent.id]);
  expect(await meet(server, foreign)).toEqual(['refused', 'refused']);
});
