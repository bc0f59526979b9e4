/**
 * The default store: one server, nothing to install, lmdb in a folder of its own that one process owns. Renewals of
 * leases are in memory only, so after a restart every lease has its full term again.
 */
import { StoreEngine, type EngineWorld } from '../engine.ts';
import { lockDataFolder } from './data-lock.ts';
import { LmdbBackend } from './lmdb-backend.ts';

export interface EmbeddedStoreOptions extends EngineWorld {
  /** A folder for the store alone; made if absent. */
  readonly path: string;
}

/**
 * Open it, or make it: a fresh store draws its id. Rejects with HM-DATA-LOCKED, HM-DATA-DIR, HM-STORE-CORRUPT,
 * HM-DISK-FULL. `close` gives the folder back.
 */
export async function openEmbeddedStore({ path, clock, random }: EmbeddedStoreOptions): Promise<StoreEngine> {
  const lock = await lockDataFolder(path);
  let backend: LmdbBackend | undefined;
  try {
    backend = new LmdbBackend(path, random);
    return new EmbeddedStore(backend, { clock, random }, () => lock.release());
  } catch (error) {
    await backend?.close();
    await lock.release();
    throw error;
  }
}

class EmbeddedStore extends StoreEngine {
  readonly #release: () => Promise<void>;

  constructor(backend: LmdbBackend, world: EngineWorld, release: () => Promise<void>) {
    super(backend, world);
    this.#release = release;
  }

  override async close(): Promise<void> {
    try {
      await super.close();
    } finally {
      await this.#release();
    }
  }
}
