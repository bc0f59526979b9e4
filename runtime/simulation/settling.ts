/** What a healed world still lacks, as seen from outside and as the node itself says; and what counts as a change of it. */
import { slotName } from '../../protocols/apps/model.ts';
import type { AppView } from '../../protocols/apps/status.ts';
import { paths } from '../../protocols/wire/paths.ts';
import type { ClusterSight, NodeSight } from './checkers/checker.ts';
import type { Changes } from './checkers/containers/quiet.ts';
import type { NodeRun } from './node/node-run.ts';
import type { Operator } from './operator.ts';
import { Oracle } from './oracle.ts';
import type { StoreView } from './store-view.ts';

/** Hooks, drains, pulls and backoffs come to an end: nothing is between two of these. */
const restful: readonly string[] = ['completed', 'failed'];

/** For the node to answer. */
const answerMs = 100;

interface Watched {
  readonly sight: ClusterSight;
  readonly nodes: readonly NodeRun[];
  readonly operator: Operator;
  readonly view: StoreView;
  readonly pass: (ms: number) => Promise<void>;
}

export class Settling {
  readonly #watched: Watched;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** In words; none: all is as desired. */
  async problems(nodes: readonly NodeRun[]): Promise<readonly string[]> {
    const { operator } = this.#watched;
    const orders = operator.waiting > 0 ? [`${operator.waiting} orders wait`] : [];
    const down = nodes
      .filter(({ life }) => life.node === undefined)
      .map(({ place, life }) => `no ${place.name} runs${life.refusal ? `: ${life.refusal.message}` : ''}`);
    return [...orders, ...down, ...this.differences(), ...(await this.#reported())];
  }

  /** Between the true store, the machine, and what is served of it. */
  differences(): readonly string[] {
    const { sight } = this.#watched;
    return [...new Oracle(sight).problems(), ...sight.nodes.flatMap(misserved)];
  }

  changes(): Changes {
    const { nodes, view } = this.#watched;
    const sum = (count: (node: NodeRun) => number) => nodes.reduce((total, node) => total + count(node), 0);
    return {
      revision: view.revision - view.housekeeping,
      appends: sum(({ journal }) => journal.appends),
      network: sum(({ place }) => place.network.changes),
      volumes: sum(({ place }) => place.volumes.changes),
    };
  }

  /** What the node itself says of its apps: each slot is ready or has ended; all is well where nothing has failed for good. */
  async #reported(): Promise<readonly string[]> {
    const asked = this.#watched.nodes[0]!.life.during((node) =>
      node.ask<{ apps: readonly AppView[] }>(paths.apps, { type: 'apps.report' }),
    );
    let answer: Awaited<typeof asked>;
    asked.then(
      (value) => (answer = value),
      () => undefined,
    );
    await this.#watched.pass(answerMs);
    if (answer === undefined) return ['the node does not say how its apps are'];
    if (new Oracle(this.#watched.sight).allRun())
      return answer.apps.filter((app) => !app.converged).map(unconverged);
    const statuses = answer.apps.flatMap((app) => app.slots.flatMap(({ status }) => status ?? []));
    return statuses
      .filter(({ phase, readiness }) => !restful.includes(phase) && readiness !== 'ready')
      .map(({ slot, phase, readiness }) => `${slot} is called ${phase}/${readiness}`);
  }
}

function unconverged(app: AppView): string {
  const slots = app.slots.map(({ slot, status }) => `${slot} ${status?.phase}/${status?.readiness}`);
  return `${app.name} is not called converged: ${slots.join(', ')}`;
}

/** Names and ports lead to what runs, and to nothing else. */
function misserved({ machine, names, network }: NodeSight): readonly string[] {
  const running = machine.list().filter(({ phase }) => phase === 'running');
  const lives = (address: string, slot?: string) =>
    running.some((one) => one.address === address && (slot === undefined || one.key.slot === slot));
  const named = names.zone.names.map(({ app, service, index, address }) => ({
    ...{ slot: slotName(app, service, index), address },
  }));
  const backends = network.publications.flatMap((publication) => publication.backends);
  return [
    ...named
      .filter(({ slot, address }) => !lives(address, slot))
      .map(({ slot, address }) => `${slot} is named at ${address} and does not run there`),
    ...backends
      .filter(({ address }) => !lives(address))
      .map(({ address }) => `a port leads to ${address}, where nothing runs`),
    ...running
      .filter(({ key, address }) => address !== undefined && !named.some(({ slot }) => slot === key.slot))
      .map(({ key }) => `${key.slot} runs and has no name`),
  ];
}
