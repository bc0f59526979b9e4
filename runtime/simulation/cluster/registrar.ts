/**
 * Who brings machines to the cluster: makes tokens at the server, puts them on the machines, and another one where one was
 * refused. As a person does it: one after the other, and again when it did not work.
 */
import { tokenPath } from '../../world/simulated/joined-cluster.ts';
import type { NodeRun } from '../node/node-run.ts';

const ttlMs = 600_000;

export class Registrar {
  readonly #nodes: readonly NodeRun[];
  #busy = false;

  constructor(nodes: readonly NodeRun[]) {
    this.#nodes = nodes;
  }

  /** Now and then. */
  look(): void {
    const next = this.#nodes.slice(1).find(needsToken);
    if (next === undefined || this.#busy) return;
    this.#busy = true;
    void this.#bring(next).finally(() => (this.#busy = false));
  }

  async #bring({ place }: NodeRun): Promise<void> {
    const made = await this.#first.life
      .during(async () => this.#first.place.cluster?.care?.createToken({ ttlMs, uses: 1 }))
      .catch(() => undefined);
    if (made) place.disk.put(tokenPath, made.token);
  }

  get #first(): NodeRun {
    return this.#nodes[0]!;
  }
}

const needsToken = ({ place, life }: NodeRun): boolean =>
  !place.disk.has(tokenPath) || life.refusal?.code === 'HM-CLUSTER-TOKEN';
