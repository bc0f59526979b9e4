/** What a healed world still lacks, as seen from outside and as the node itself says; and what counts as a change of it. */
import { slotName } from '../../protocols/apps/model.ts';
import type { AppView } from '../../protocols/apps/status.ts';
import { paths } from '../../protocols/wire/paths.ts';
import type { SimulatedWorld } from '../world/simulated/simulated-world.ts';
import type { Changes } from './checkers/containers/quiet.ts';
import type { JournalView } from './journal-view.ts';
import type { Life } from './life.ts';
import type { Operator } from './operator.ts';
import { Oracle } from './oracle.ts';
import type { StoreView } from './store-view.ts';

/** Hooks, drains, pulls and backoffs come to an end: nothing is between two of these. */
const restful: readonly string[] = ['completed', 'failed'];

/** For the node to answer. */
const answerMs = 100;

interface Watched {
  readonly world: SimulatedWorld;
  readonly life: Life;
  readonly operator: Operator;
  readonly view: StoreView;
  readonly journal: JournalView;
  readonly pass: (ms: number) => Promise<void>;
}

export class Settling {
  readonly #watched: Watched;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** In words; none: all is as desired. */
  async problems(): Promise<readonly string[]> {
    const { operator, life } = this.#watched;
    const orders = operator.waiting > 0 ? [`${operator.waiting} orders wait`] : [];
    const node = life.node === undefined ? ['no node runs'] : [];
    return [...orders, ...node, ...this.differences(), ...(await this.#reported())];
  }

  /** Between the true store, the machine, and what is served of it. */
  differences(): readonly string[] {
    return [...this.#oracle().problems(), ...this.#misserved()];
  }

  /** Names and ports lead to what runs, and to nothing else. */
  #misserved(): readonly string[] {
    const { machine, names, network } = this.#watched.world;
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

  changes(): Changes {
    const { world, view, journal } = this.#watched;
    const { network, volumes } = world;
    return {
      revision: view.revision,
      appends: journal.appends,
      network: network.changes,
      volumes: volumes.changes,
    };
  }

  #oracle(): Oracle {
    const { view, world, journal } = this.#watched;
    return new Oracle(view.rows, world, journal.records);
  }

  /** What the node itself says of its apps: each slot is ready or has ended; all is well where nothing has failed for good. */
  async #reported(): Promise<readonly string[]> {
    const asked = this.#watched.life.during((node) =>
      node.ask<{ apps: readonly AppView[] }>(paths.apps, { type: 'apps.report' }),
    );
    let answer: Awaited<typeof asked>;
    asked.then(
      (value) => (answer = value),
      () => undefined,
    );
    await this.#watched.pass(answerMs);
    if (answer === undefined) return ['the node does not say how its apps are'];
    if (this.#oracle().allRun()) return answer.apps.filter((app) => !app.converged).map(unconverged);
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
