/** Whole clusters of real parts on the loopback: TLS, UDP, files; only the stores are in memory, and clocks can be off. */
import { createServer } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { coded } from '../../../../protocols/errors.ts';
import type { MemberAddress } from '../../../../protocols/membership/model.ts';
import type { Clock } from '../../../../protocols/ports.ts';
import { seenEntry, seenOf, type StoreSeen } from '../../../../protocols/state/guard.ts';
import { ownCall } from '../../../../runtime/cluster/cluster-store.ts';
import { openAgent, type OpenedAgent } from '../../../../runtime/cluster/opening/agent.ts';
import type {
  ClusterOptions,
  ClusterSettings,
  OpenMembership,
} from '../../../../runtime/cluster/opening/parts.ts';
import { openServer, type OpenedCluster } from '../../../../runtime/cluster/opening/server.ts';
import { countBoot } from '../../../../runtime/boots.ts';
import { createFileDisk } from '../../../../runtime/drivers/journal/disk.ts';
import { openJournal } from '../../../../runtime/drivers/journal/journal.ts';
import { MemoryKeys } from '../../../../runtime/drivers/secrets/key-ring.ts';
import { createSecretBox } from '../../../../runtime/drivers/secrets/secret-box.ts';
import { followedStore } from '../../../../runtime/drivers/store/followed-store.ts';
import {
  createMemoryStore,
  type MemoryStore,
} from '../../../../runtime/drivers/store/memory/memory-store.ts';
import { realTools } from '../../../../runtime/membership/host/worker-tools.ts';
import { openMembershipInProcess } from '../../../kit/cluster/in-process.ts';
import { realMeans } from '../../../../runtime/cluster/opening/real-means.ts';
import { realClock } from '../../../../runtime/world/real-clock.ts';
import { realRandom } from '../../../../runtime/world/real-random.ts';

/** A thread of its own would read the sources anew each time; `threads.test.ts` and the end-to-end tests have them. */
const inProcess: OpenMembership = (options) =>
  openMembershipInProcess({ ...options, tools: () => realTools(options.start.self, options.secrets) });

/** A machine: its folder, its clock. */
export interface Machine {
  readonly name: string;
  readonly folder: string;
  /** What its clock is off by, ms. */
  skewMs: number;
  /** What it believes to have run longer than it has, ms. */
  olderMs: number;
  /** Nothing more is written of what only its owner may read. */
  isFull: boolean;
  /** Notes that it has acted on its store as it was when it opened it, so many revisions later. */
  follows?: (revisions: number) => Promise<unknown>;
}

export const statusOf = ({ handle }: OpenedCluster, name: string): string | undefined =>
  handle.membership.members().find((member) => member.name === name)?.status;

export class ClusterTown {
  readonly #closers: (() => Promise<unknown>)[] = [];
  readonly debug: string[] = [];
  readonly keys = new MemoryKeys();
  store: MemoryStore = createMemoryStore({ clock: realClock, random: realRandom });

  async machine(name: string): Promise<Machine> {
    const folder = await mkdtemp(join(tmpdir(), `hm-town-${name}-`));
    this.#closers.unshift(() => rm(folder, { recursive: true, force: true }));
    return { name, folder, skewMs: 0, olderMs: 0, isFull: false };
  }

  /** An address that nobody listens on. */
  async address(): Promise<MemberAddress> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return { host: '127.0.0.1', port };
  }

  async #options(
    machine: Machine,
    settings: Partial<ClusterSettings> & Pick<ClusterSettings, 'clusterAddress'>,
  ): Promise<ClusterOptions> {
    const clock: Clock = {
      ...realClock,
      now: () => realClock.now() + machine.skewMs,
      monotonicMs: () => realClock.monotonicMs() + machine.olderMs,
    };
    const path = join(machine.folder, 'node.journal');
    const opened = await openJournal({ disk: createFileDisk(), clock: realClock, path });
    this.#closers.push(() => opened.close());
    return {
      folder: join(machine.folder, 'cluster'),
      name: machine.name,
      settings: { role: 'auto', membershipProfile: 'fast', labels: {}, ...settings },
      boot: await countBoot(opened.journal),
      clock,
      random: realRandom,
      journal: opened.journal,
      ...realMeans,
      files: {
        ...realMeans.files,
        writeSecret: async (file, text) => {
          if (machine.isFull) throw coded('HM-DISK-FULL', `no room for ${file}`);
          await realMeans.files.writeSecret(file, text);
        },
      },
      openMembership: inProcess,
      debug: (text) => this.debug.push(text),
      waiting: (text) => this.debug.push(text),
    };
  }

  async server(machine: Machine, clusterAddress: MemberAddress): Promise<OpenedCluster> {
    const options = await this.#options(machine, { clusterAddress });
    const store = followedStore(this.store, options.journal);
    const secrets = createSecretBox({ storage: this.keys, random: realRandom, store: () => store });
    const own = seenOf(await this.store.status());
    const note = (seen: StoreSeen) => options.journal.append({ entries: { [seenEntry]: seen } }, ownCall());
    machine.follows = (revisions) => note({ ...own, revision: own.revision + revisions });
    return this.#kept(await openServer(options, { store, secrets }));
  }

  async agent(
    machine: Machine,
    settings: Partial<ClusterSettings> & Pick<ClusterSettings, 'clusterAddress'>,
  ): Promise<OpenedAgent> {
    return this.#kept(await openAgent(await this.#options(machine, settings)));
  }

  /** One that joins now, with a token. */
  async joined(server: OpenedCluster, machine: Machine): Promise<OpenedAgent> {
    const tokenFile = await this.tokenOf(server, machine);
    const seeds = [server.handle.self.address];
    return this.agent(machine, { clusterAddress: await this.address(), join: seeds, tokenFile });
  }

  /** A file with a token of that server. */
  async tokenOf({ handle }: OpenedCluster, machine: Machine): Promise<string> {
    const path = join(machine.folder, 'token');
    const { token } = await handle.care!.createToken({ ttlMs: 60_000, uses: 5 });
    await writeFile(path, token);
    return path;
  }

  #kept<Opened extends OpenedCluster>(opened: Opened): Opened {
    let closed: Promise<void> | undefined;
    const close = (): Promise<void> => (closed ??= opened.close());
    this.#closers.push(close);
    return { ...opened, close };
  }

  async end(): Promise<void> {
    const failures: unknown[] = [];
    // What fails must leave nothing of the others behind.
    for (const close of this.#closers.reverse())
      await close().catch((thrown: unknown) => failures.push(thrown));
    await this.store.close();
    if (failures.length > 0) throw failures[0];
  }
}
