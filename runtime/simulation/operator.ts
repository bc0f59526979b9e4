/**
 * The operator of a simulated node: gives orders one after the other, and repeats each until it was taken or refused
 * for good, through kills, silence and lost answers.
 */
import type { AppSpec } from '../../protocols/apps/model.ts';
import { CodedError } from '../../protocols/errors.ts';
import { scriptedDigest } from '../drivers/container/scripted/images.ts';
import type { Message } from '../../protocols/effects.ts';
import type { Clock } from '../../protocols/ports.ts';
import { paths } from '../../protocols/wire/paths.ts';
import type { Life } from './life.ts';
import { appName, serviceName, type Order } from './plans/plan.ts';
import { specOf } from './plans/workload.ts';

const repeatMs = 2_000;
/** Refusals that no repetition changes. */
const forGood: readonly string[] = [
  'HM-APP-UNKNOWN',
  'HM-SERVICE-UNKNOWN',
  'HM-TARGET-UNKNOWN',
  'HM-PORT-TAKEN',
  'HM-COMPOSE-LIMIT',
];

export class Operator {
  readonly #life: Life;
  readonly #clock: Clock;
  #last: Promise<void> = Promise.resolve();
  waiting = 0;
  taken = 0;

  constructor(life: Life, clock: Clock) {
    this.#life = life;
    this.#clock = clock;
  }

  order(order: Order): void {
    this.waiting += 1;
    this.#last = this.#last.then(() => this.#carryOut(order));
  }

  async #carryOut(order: Order): Promise<void> {
    for (;;) {
      const answer = await this.#attempt(messageOf(order));
      if (answer === 'taken') this.taken += 1;
      if (answer !== 'again') break;
      await new Promise<void>((resolve) => this.#clock.setTimer(repeatMs, resolve));
    }
    this.waiting -= 1;
  }

  async #attempt(message: Message): Promise<'taken' | 'refused' | 'again'> {
    try {
      const answer = await this.#life.during((node) => node.ask(paths.apps, message));
      return answer === undefined ? 'again' : 'taken';
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return forGood.includes(error.reason.code) ? 'refused' : 'again';
    }
  }
}

function messageOf(order: Order): Message {
  const app = appName(order.app);
  switch (order.do) {
    case 'deploy':
      return deploy(order.app, specOf(order.app, order.services));
    case 'scale':
      return { type: 'app.scale', app, service: serviceName(order.service), replicas: order.replicas };
    case 'restart':
      return {
        type: 'app.restart',
        app,
        ...(order.service === undefined ? {} : { service: serviceName(order.service) }),
        ...(order.index === undefined ? {} : { index: order.index }),
      };
    case 'remove':
      return { type: 'app.remove', app, volumes: order.volumes };
  }
}

/** Every other app is fixed to the content of its images, as the API's door does it. */
function deploy(app: number, spec: AppSpec): Message {
  const pinned = Object.values(spec.services).map(({ image }) => [image, scriptedDigest(image)] as const);
  return { type: 'app.deploy', spec, ...(app % 2 === 1 ? { digests: Object.fromEntries(pinned) } : {}) };
}
