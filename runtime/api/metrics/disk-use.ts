/** What containers and volumes take on disk: measuring walks folders, so it is done once a minute, however often is scraped. */
import { limits } from '../../../protocols/limits.ts';
import type { Call } from '../../../protocols/ports.ts';
import type { NodeHandle } from '../../node-handle.ts';

export interface DiskUse {
  /** By container. */
  readonly containers: ReadonlyMap<string, number>;
  readonly volumes: readonly { readonly app: string; readonly volume: string; readonly bytes: number }[];
}

export class DiskMeter {
  readonly #node: NodeHandle;
  #kept: { readonly atMs: number; readonly use: Promise<DiskUse> } | undefined;

  constructor(node: NodeHandle) {
    this.#node = node;
  }

  /** Rejects as its ports do; that is not kept. */
  read(ids: readonly string[], call: Call): Promise<DiskUse> {
    const nowMs = this.#node.clock.monotonicMs();
    if (this.#kept && nowMs - this.#kept.atMs < limits.metricsDiskMs) return this.#kept.use;
    // Who asked first may leave; those behind it still want to know.
    const use = this.#measure(ids, { key: call.key, signal: new AbortController().signal });
    this.#kept = { atMs: nowMs, use };
    use.catch(() => (this.#kept = undefined));
    return use;
  }

  async #measure(ids: readonly string[], call: Call): Promise<DiskUse> {
    const { containers, volumes } = this.#node.ports;
    const [{ stats }, listed] = await Promise.all([
      containers.stats({ ids, disk: true }, call),
      volumes.list({ disk: true }, call),
    ]);
    return {
      containers: new Map(
        stats.flatMap(({ id, diskBytes }) => (diskBytes === undefined ? [] : [[id, diskBytes] as const])),
      ),
      volumes: listed.volumes.flatMap(({ app, volume, diskBytes }) =>
        diskBytes === undefined ? [] : [{ app, volume, bytes: diskBytes }],
      ),
    };
  }
}
