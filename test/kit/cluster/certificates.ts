/** A cluster's authority and nodes with certificates of it, for tests of what stands on TLS. */
import { generateKeyPairSync } from 'node:crypto';
import type { NodeRole } from '../../../protocols/wire/catalogue.ts';
import {
  issueCertificate,
  makeAuthority,
  type Authority,
} from '../../../runtime/cluster/certificates/authority.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { nodeIdOf } from '../../../transport/secure/credentials.ts';
import type { TlsIdentity } from '../../../transport/secure/tls-identity.ts';

export interface NodeCertificate {
  readonly id: string;
  readonly name: string;
  readonly role: NodeRole;
  readonly tls: TlsIdentity;
}

export interface CertificateMaker {
  readonly label: string;
  /** `now`: the wall time it is made at, ms since 1970; the real one unless it is given. */
  node(name: string, options?: { role?: NodeRole; now?: number }): Promise<NodeCertificate>;
  /** The same key with a new certificate. */
  renewed(of: NodeCertificate, now?: number): Promise<NodeCertificate>;
}

const random = seededRandom(44);

export async function certificateMaker(label = 'c0ffee'): Promise<CertificateMaker> {
  const authority: Authority = await makeAuthority(random, { label, now: realClock.now() });
  const issue = async (name: string, role: NodeRole, keys: ReturnType<typeof keyPair>, now: number) => {
    const leaf = await issueCertificate(random, authority, { label, name, role, key: keys.publicKey, now });
    const tls: TlsIdentity = {
      key: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      certificate: `${leaf}\n${authority.certificate}`,
      authorities: [authority.certificate],
      label,
    };
    return { id: nodeIdOf(keys.publicKey), name, role, tls };
  };
  const known = new Map<string, ReturnType<typeof keyPair>>();
  return {
    label,
    node: async (name, { role = 'agent', now = realClock.now() } = {}) => {
      const keys = keyPair();
      const made = await issue(name, role, keys, now);
      known.set(made.id, keys);
      return made;
    },
    renewed: ({ id, name, role }, now = realClock.now()) => issue(name, role, known.get(id)!, now),
  };
}

const keyPair = () => generateKeyPairSync('ed25519');
