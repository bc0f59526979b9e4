/**
 * Where a node's desired state is: in its own store, or, at an agent of a cluster, in the store of its server. With it come
 * the secrets, which are sealed where the store is, and the node's place in its cluster.
 */
import { join } from 'node:path';
import type { Reason } from '../../protocols/errors.ts';
import type { Journal, SecretBox, StateStore } from '../../protocols/ports.ts';
import { seenEntry, seenOf } from '../../protocols/state/guard.ts';
import type { ClusterHandle } from '../cluster/handle.ts';
import type { ClusterOptions, ClusterSettings } from '../cluster/opening/parts.ts';
import { clusterFolder } from '../cluster/opening/places.ts';
import { roleHere } from '../cluster/opening/role.ts';
import { createKeyFile } from '../drivers/secrets/key-file.ts';
import { createSecretBox } from '../drivers/secrets/secret-box.ts';
import { openEmbeddedStore } from '../drivers/store/embedded/embedded-store.ts';
import { followedStore } from '../drivers/store/followed-store.ts';
import { lockDataFolder } from '../drivers/store/embedded/data-lock.ts';
import { realClock } from './real-clock.ts';
import { realRandom } from './real-random.ts';

export interface StateOptions {
  readonly dataDir: string;
  readonly name: string;
  readonly secretKeyFile: string;
  readonly passphrases: readonly string[];
  readonly journal: Journal;
  /** The operator confirms the store as it is. */
  readonly acceptStore?: boolean;
  /** Absent: the node is alone. */
  readonly several?: { readonly settings: ClusterSettings; readonly boot: number };
  readonly debug: (text: string) => void;
  readonly waiting: (text: string) => void;
}

export interface OpenedState {
  readonly store: StateStore;
  readonly secrets: SecretBox;
  readonly cluster?: ClusterHandle;
  /** The key of the secrets is missing or another one; whoever needs a secret hears it again. */
  readonly locked?: Reason;
  /** Of the cluster, without a farewell; the folder stays taken. */
  close(): Promise<void>;
}

export interface TakenFolder {
  open(options: StateOptions): Promise<OpenedState>;
  /** Gives it back, with the store that may be in it. */
  close(): Promise<void>;
}

/**
 * Takes the data folder for this process, and opens the store in it unless the node is an agent. HM-DATA-LOCKED,
 * HM-DATA-DIR, HM-CLUSTER-ROLE, HM-STORE-CORRUPT.
 */
export async function takeDataFolder(
  dataDir: string,
  cluster: ClusterSettings | undefined,
): Promise<TakenFolder> {
  const path = join(dataDir, 'store');
  if (roleHere(dataDir, cluster) === 'agent') {
    const lock = await lockDataFolder(path);
    return { open: openAtServer, close: () => lock.release() };
  }
  const store = await openEmbeddedStore({ path, clock: realClock, random: realRandom });
  return { open: (options) => openHere(options, store), close: () => store.close() };
}

async function openHere(options: StateOptions, embedded: StateStore): Promise<OpenedState> {
  const { secretKeyFile: path, passphrases, several, journal, acceptStore } = options;
  const storage = createKeyFile({ path, passphrases, random: realRandom });
  if (acceptStore) await accept(embedded, journal);
  const store = followedStore(embedded, journal);
  const secrets = createSecretBox({ storage, random: realRandom, store: () => store });
  const { locked } = await secrets.status({}, { key: 'open', signal: new AbortController().signal });
  const state = { store, secrets, ...(locked ? { locked } : {}) };
  if (!several) return { ...state, close: () => Promise.resolve() };
  const { openServer } = await import('../cluster/opening/server.ts');
  const { handle, close } = await openServer(await clusterOptions(options), { store, secrets });
  return { ...state, cluster: handle, close };
}

/** Before anything is written there: a server makes its cluster in it. */
async function accept(store: StateStore, journal: Journal): Promise<void> {
  const call = { key: 'accept', signal: new AbortController().signal };
  const seen = seenOf(await store.status({}, call));
  await journal.append({ entries: { [seenEntry]: seen } }, call);
}

async function openAtServer(options: StateOptions): Promise<OpenedState> {
  const { openAgent } = await import('../cluster/opening/agent.ts');
  const { handle, store, secrets, close } = await openAgent(await clusterOptions(options));
  return { store, secrets, cluster: handle, close };
}

/** What only a node with others needs is loaded here: one alone does not pay for it. */
async function clusterOptions(options: StateOptions): Promise<ClusterOptions> {
  const { realMeans } = await import('../cluster/opening/real-means.ts');
  const { dataDir, name, several, journal, debug, waiting } = options;
  const own = { folder: clusterFolder(dataDir), name, journal, debug, waiting, ...several! };
  return { ...own, ...realMeans, clock: realClock, random: realRandom };
}
