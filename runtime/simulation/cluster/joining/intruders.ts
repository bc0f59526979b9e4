/**
 * Who has no right to a name and comes for it all the same: with another key while its owner lives, or with the key and
 * the certificate of an owner who has lost it. Both use the product's own code.
 */
import { parseJoinToken } from '../../../../protocols/cluster/token.ts';
import { coded, reasonOf } from '../../../../protocols/errors.ts';
import type { MemberAddress } from '../../../../protocols/membership/model.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import { createCalls } from '../../../../transport/calls/calls.ts';
import { nodeIdOf } from '../../../../transport/secure/credentials.ts';
import { openProvenLink } from '../../../../transport/memory/proven-streams.ts';
import { createPublicKey } from 'node:crypto';
import { requestCertificate } from '../../../cluster/certificates/authority.ts';
import { privateKeyOf } from '../../../cluster/certificates/x509-crypto.ts';
import { readGiven, type Given } from '../../../cluster/given-file.ts';
import { ensureIdentity, type NodeIdentity } from '../../../cluster/identity-file.ts';
import { joinCluster } from '../../../cluster/joining/join-client.ts';
import { givenPath, keyPath } from '../../../cluster/opening/places.ts';
import { RemoteStore } from '../../../drivers/store/remote/remote-store.ts';
import { chanceFor } from '../../../world/simulated/chance.ts';
import { filesOn } from '../../../world/simulated/disk-files.ts';
import { clusterFolder, reachFrom } from '../../../world/simulated/joined-cluster.ts';
import { MachineTime } from '../../../world/simulated/node-clock.ts';
import { LifeThread } from '../../../world/simulated/simulated-cluster.ts';
import type { SimulatedNode } from '../../../world/simulated/simulated-node.ts';
import type { SimulatedWorld } from '../../../world/simulated/simulated-world.ts';

/** What an owner of a name had on its disk. */
export interface Former {
  readonly name: string;
  readonly identity: NodeIdentity;
  readonly given: Pick<Given, 'label' | 'issued'>;
}

const askMs = 5_000;
/** A server is down for no longer. */
const mostTries = 12;

export class Intruders {
  readonly #world: SimulatedWorld;
  #count = 0;

  constructor(world: SimulatedWorld) {
    this.#world = world;
  }

  /**
   * Asks to be let in as that node; let in, because its owner is held for gone, it leaves again, so that the owner can come
   * back. Whether it was let in.
   */
  async pretend(name: string, token: string): Promise<boolean> {
    const { seed, clock, hub, first } = this.#world;
    const address = this.#address();
    const random = chanceFor(seed, `impostor ${address.host}`);
    const key = privateKeyOf(random.hex(32));
    const main = new LifeThread(clock, new MachineTime(clock));
    const wish = {
      ...{ token: parseJoinToken(token, 'the simulation'), key, name, address, zone: '', labels: {} },
      seeds: [hub.addressOf(first.name)],
    };
    const tools = { clock: main.clock, reach: reachFrom({ hub, main, address }) };
    let given: Former['given'] | undefined;
    // A lost answer may have been one that let it in.
    for (let tries = 0; tries < mostTries && !given; tries++) {
      const refused = await joinCluster(wish, tools).then(
        ({ label, ...issued }) => void (given = { label, issued }),
        (thrown: unknown) => reasonOf(thrown).code,
      );
      if (refused !== undefined && refused !== 'HM-CLUSTER-JOIN') break;
      if (!given) await new Promise<void>((resolve) => void clock.setTimer(askMs, resolve));
    }
    main.clock.end();
    if (!given) return false;
    await this.#leave({ name, identity: { id: nodeIdOf(createPublicKey(key)), key }, given });
    return true;
  }

  /** What makes that machine who it is; nothing when it has not joined. */
  async formerOf(place: SimulatedNode): Promise<Former | undefined> {
    if (!place.disk.has(keyPath(clusterFolder))) return undefined;
    const files = filesOn(place.disk.mount());
    const { seed } = this.#world;
    try {
      const identity = await ensureIdentity(files, chanceFor(seed, 'former'), keyPath(clusterFolder));
      const given = await readGiven(files, givenPath(clusterFolder), identity);
      return given && { name: place.name, identity, given };
    } catch {
      return undefined;
    }
  }

  /** Comes with what it was given, and asks for the store and for a new certificate. What it was let have, in words. */
  async haunt(former: Former): Promise<readonly string[]> {
    const { clock } = this.#world;
    const { calls, server, address } = this.#callsOf(former);
    const store = new RemoteStore({ calls, clock, server: () => server });
    const call = { key: 'haunt', signal: new AbortController().signal };
    const request = await requestCertificate(former.identity.key, former.name);
    const wish = { request, address, zone: '', now: clock.now() };
    const had = await Promise.all([
      granted('the store', inTime(clock, store.get({ key: keys.cluster }, call))),
      granted('a certificate', calls.call(server, 'join.renew', wish, { timeoutMs: askMs })),
    ]);
    await store.close();
    await calls.close();
    return had.flat();
  }

  /** Until the server has heard it: it may be down meanwhile. */
  async #leave(former: Former): Promise<void> {
    const { clock } = this.#world;
    const { calls, server } = this.#callsOf(former);
    let left = false;
    for (let tries = 0; tries < mostTries && !left; tries++) {
      left = await calls.call(server, 'join.leave', {}, { timeoutMs: askMs }).then(
        () => true,
        () => false,
      );
      if (!left) await new Promise<void>((resolve) => void clock.setTimer(askMs, resolve));
    }
    await calls.close();
  }

  #callsOf({ name, identity, given }: Former) {
    const { clock, hub, seed, first } = this.#world;
    const address = this.#address();
    const { certificate, authority } = given.issued;
    const tls = {
      key: identity.key.export({ format: 'pem', type: 'pkcs8' }).toString(),
      certificate: `${certificate}\n${authority}`,
      ...{ authorities: [authority], label: given.label },
    };
    const self = { id: identity.id, name, role: 'agent' } as const;
    const link = openProvenLink(hub.streams, { self, address, tls: () => tls, clock });
    const random = chanceFor(seed, `former ${address.host}`);
    const calls = createCalls({ self: { ...self, boot: 1_000 }, link, clock, random });
    return { calls, server: { id: first.id, address: hub.addressOf(first.name) }, address };
  }

  #address(): MemberAddress {
    this.#count += 1;
    return { host: `10.9.2.${this.#count}`, port: 4_484 };
  }
}

const granted = (what: string, answer: Promise<unknown>): Promise<readonly string[]> =>
  answer.then(
    () => [what],
    (thrown: unknown) => (reasonOf(thrown).code === 'HM-INTERNAL' ? [`a defect: ${String(thrown)}`] : []),
  );

function inTime<Value>(clock: SimulatedWorld['clock'], answer: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(askMs, () => reject(coded('HM-PEER-TIMEOUT')));
    answer.then(resolve, reject).finally(() => clock.clearTimer(timer));
  });
}
