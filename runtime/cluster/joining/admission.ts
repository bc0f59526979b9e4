/**
 * Letting nodes in, at a server: who comes with a token gets a name, a certificate and the keys; who is in gets a new
 * certificate before the old one ends. Everything is checked before anything is written.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { clockReason } from '../../../protocols/cluster/clocks.ts';
import type {
  Issued,
  JoinAnswer,
  JoinRequest,
  RenewRequest,
  ServerPlace,
} from '../../../protocols/cluster/join.ts';
import type { MemberRecord } from '../../../protocols/cluster/rows.ts';
import { CodedError, coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { MemberAddress, NodeId } from '../../../protocols/membership/model.ts';
import type { NodeRole } from '../../../protocols/wire/catalogue.ts';
import { issueCredential, nodeIdOf } from '../../../transport/secure/credentials.ts';
import { termOf } from '../../../transport/secure/tls-identity.ts';
import { issueCertificate, keyOfRequest } from '../certificates/authority.ts';
import { readAuthority, requireCluster, unlessForeign, type ClusterPorts } from '../cluster-store.ts';
import { claimName, memberOf, releaseName } from '../members.ts';
import { judgeJoinToken, takeJoinToken } from './join-tokens.ts';

export interface AdmissionOptions {
  readonly ports: ClusterPorts;
  /** Of the cluster that nodes are let into. */
  readonly label: string;
  /** This node. */
  readonly server: ServerPlace;
  /** Whether who has a name is gone. */
  gone(other: MemberRecord): boolean;
  /** Where members are, for who joins. */
  peers(): readonly MemberAddress[];
  /** In use now, as they stand in `Issued`; the store may be one of before they were exchanged. */
  gossipKeys(): readonly string[];
}

/** A node that proved who it is. */
interface Proven {
  readonly id: NodeId;
  readonly name: string;
}

export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** HM-STORE-FOREIGN, HM-CLUSTER-TOKEN, -CLOCK, -CERTIFICATE, HM-NODE-NAME-TAKEN; then nothing has changed. */
  async join(request: JoinRequest): Promise<JoinAnswer> {
    const { ports, label, server, gone, peers } = this.#options;
    const { token, name, address, zone, labels } = request;
    await requireCluster(ports, label);
    await judgeJoinToken(ports, token);
    this.#checkClock(request.now, name);
    const key = await keyOfRequest(request.request);
    const id = nodeIdOf(key);
    if (id === server.id)
      throw coded('HM-CLUSTER-JOIN', 'a server cannot join itself', {}, 'Leave --join out.');
    const authority = await readAuthority(ports);
    const { issued, notAfter } = await issueTo(ports, authority, { name, role: 'agent', key });
    await claimName(ports, {
      record: {
        name,
        id,
        role: 'agent',
        address,
        zone,
        labels,
        notAfter,
      },
      gone: (other) => gone(other),
      alongside: () => takeJoinToken(ports, token.id, id),
    });
    return { ...this.#withKeys(issued), label, server, peers: peers().slice(0, limits.clusterSeeds) };
  }

  /** HM-STORE-FOREIGN, HM-NODE-NAME-LOST; HM-CLUSTER-CERTIFICATE: it is no member any more, or asks for another key than its own. */
  async renew(from: Proven, request: RenewRequest): Promise<Issued> {
    const { ports, label } = this.#options;
    const member = await memberOf(ports, label, from);
    this.#checkClock(request.now, from.name);
    const key = await keyOfRequest(request.request);
    if (nodeIdOf(key) !== from.id)
      throw coded(
        'HM-CLUSTER-CERTIFICATE',
        `${from.name} asks for a certificate on another key than its own`,
      );
    const authority = await readAuthority(ports);
    const { issued, notAfter } = await issueTo(ports, authority, { name: from.name, role: member.role, key });
    const { address, zone } = request;
    const record = { ...member, address, zone, notAfter };
    // A store that may not be followed now keeps the row it has. Nothing is stopped for that, and no certificate ends.
    await claimName(ports, { record, joinedAt: member.joinedAt, gone: () => false }).catch(unlessForeign);
    return this.#withKeys(issued);
  }

  /** HM-STORE-FOREIGN. The name is free again; the certificate opens nothing any more. */
  async leave(from: Proven): Promise<void> {
    const { ports, label } = this.#options;
    await requireCluster(ports, label);
    await releaseName(ports, from.name, from.id);
  }

  /** Last of all: what was exchanged while the rest was made would be undone at who gets the answer. */
  #withKeys(certified: Certified): Issued {
    return { ...certified, gossipKeys: [...this.#options.gossipKeys()] };
  }

  #checkClock(theirs: number, who: string): void {
    const because = clockReason({ own: this.#options.ports.now(), theirs, who });
    if (because) throw new CodedError(because);
  }
}

/** What is made of a node's key; the keys of the gossip are everybody's. */
export type Certified = Omit<Issued, 'gossipKeys'>;

/** Certificate and credential for a key; nothing is written. */
export async function issueTo(
  ports: ClusterPorts,
  authority: Awaited<ReturnType<typeof readAuthority>>,
  { name, role, key }: { readonly name: string; readonly role: NodeRole; readonly key: KeyObject },
): Promise<{ readonly issued: Certified; readonly notAfter: number }> {
  const { label } = authority;
  const now = ports.now();
  const certificate = await issueCertificate(ports.random, authority, {
    ...{ label, name, role, key, now },
    ...(ports.certificateMs === undefined ? {} : { termMs: ports.certificateMs }),
  });
  const [, notAfter] = termOf(new X509Certificate(certificate));
  const credential = issueCredential(createPrivateKey(authority.key), {
    label,
    name,
    key,
    notAfter: Math.floor(notAfter / 1_000),
  });
  return {
    issued: {
      certificate,
      authority: authority.certificate,
      credential: Buffer.from(credential).toString('base64'),
    },
    notAfter,
  };
}
