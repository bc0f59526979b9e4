/** A server that lets nodes in, with a store in memory and a real TLS port, and nodes that come to it. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { parseJoinToken } from '../../../../protocols/cluster/token.ts';
import type { JoinAnswer } from '../../../../protocols/cluster/join.ts';
import { reasonOf, type Reason } from '../../../../protocols/errors.ts';
import type { MemberAddress } from '../../../../protocols/membership/model.ts';
import type { NodeRole } from '../../../../protocols/wire/catalogue.ts';
import { createMemoryStore } from '../../../../runtime/drivers/store/memory/memory-store.ts';
import { MemoryKeys } from '../../../../runtime/drivers/secrets/key-ring.ts';
import { createSecretBox } from '../../../../runtime/drivers/secrets/secret-box.ts';
import { realClock } from '../../../../runtime/world/real-clock.ts';
import { realRandom } from '../../../../runtime/world/real-random.ts';
import {
  ensureCluster,
  readAuthority,
  type ClusterPorts,
} from '../../../../runtime/cluster/cluster-store.ts';
import { Admission, issueTo } from '../../../../runtime/cluster/joining/admission.ts';
import { joinCluster, type JoinWish } from '../../../../runtime/cluster/joining/join-client.ts';
import { overHttp } from '../../../../runtime/cluster/joining/http-door.ts';
import { createJoinDoor } from '../../../../runtime/cluster/joining/join-door.ts';
import { createJoinToken } from '../../../../runtime/cluster/joining/join-tokens.ts';
import { reachOverTls } from '../../../../runtime/cluster/joining/tls-door.ts';
import { nodeIdOf } from '../../../../transport/secure/credentials.ts';

export class ClusterDesk {
  readonly store = createMemoryStore({ clock: realClock, random: realRandom });
  /** What is added to the clock of the server. */
  skewMs = 0;
  readonly gone = new Set<string>();
  /** Base64, 32 bytes each. */
  gossipKeys: readonly string[] = [Buffer.alloc(32, 7).toString('base64')];
  readonly ports: ClusterPorts = {
    store: this.store,
    secrets: createSecretBox({ storage: new MemoryKeys(), random: realRandom, store: () => this.store }),
    random: realRandom,
    now: () => realClock.now() + this.skewMs,
  };
  readonly failures: unknown[] = [];
  readonly #listeners: Server[] = [];
  address!: MemberAddress;
  admission!: Admission;

  async open(): Promise<this> {
    const { label } = await ensureCluster(this.ports);
    const key = newKey();
    const server = { id: nodeIdOf(key.publicKey), name: 'n1', address: { host: '127.0.0.1', port: 1 } };
    this.admission = new Admission({
      ports: this.ports,
      label,
      server,
      gone: ({ id }) => this.gone.has(id),
      peers: () => [],
      gossipKeys: () => this.gossipKeys,
    });
    const join = (request: Parameters<Admission['join']>[0]) => this.admission.join(request);
    this.address = await this.listen(key, 'server', { join });
    return this;
  }

  /** A cluster port of this cluster at which a node of that role answers. */
  async listen(
    { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject },
    role: NodeRole,
    door: Partial<Parameters<typeof createJoinDoor>[0]>,
  ): Promise<MemberAddress> {
    const authority = await readAuthority(this.ports);
    const { issued } = await issueTo(this.ports, authority, { name: role, role, key: publicKey });
    const listener = createServer({
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
      cert: `${issued.certificate}\n${issued.authority}`,
      ca: issued.authority,
      requestCert: true,
      rejectUnauthorized: false,
    });
    listener.on(
      'request',
      overHttp(
        createJoinDoor({ clock: realClock, failed: (thrown) => this.failures.push(thrown), ...door }),
        realClock,
      ),
    );
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    this.#listeners.push(listener);
    return { host: '127.0.0.1', port: (listener.address() as AddressInfo).port };
  }

  async token(wish: { ttlMs?: number; uses?: number } = {}): Promise<string> {
    return (await createJoinToken(this.ports, { ttlMs: 60_000, uses: 10, ...wish })).token;
  }

  join(name: string, token: string, more: Partial<JoinWish> = {}): Promise<JoinAnswer> {
    const wish: JoinWish = {
      token: parseJoinToken(token, 'the test'),
      key: newKey().privateKey,
      seeds: [this.address],
      name,
      address: { host: '10.0.0.9', port: 4484 },
      zone: '',
      labels: {},
      ...more,
    };
    return joinCluster(wish, { clock: realClock, reach: reachOverTls });
  }

  async close(): Promise<void> {
    for (const listener of this.#listeners) {
      listener.closeAllConnections();
      listener.close();
    }
    await this.store.close();
  }
}

export const newKey = (): { privateKey: KeyObject; publicKey: KeyObject } => generateKeyPairSync('ed25519');

export const refusalOf = (answer: Promise<unknown>): Promise<Reason | undefined> =>
  answer.then(
    () => undefined,
    (thrown: unknown) => reasonOf(thrown),
  );
