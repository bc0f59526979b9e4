/**
 * The operator of a simulated node: gives orders one after the other, and repeats each until it was taken or refused
 * for good, through kills, silence and lost answers.
 */
import { CodedError } from '../../protocols/errors.ts';
import { scriptedDigest } from '../drivers/container/scripted/images.ts';
import type { Message } from '../../protocols/effects.ts';
import type { Clock, SecretBox } from '../../protocols/ports.ts';
import { paths } from '../../protocols/wire/paths.ts';
import type { Life } from './node/life.ts';
import { sealApp } from '../secrets/app-files.ts';
import { appName, serviceName, type Order, type ServicePlan } from './plans/plan.ts';
import { specOf } from './plans/workload.ts';

const repeatMs = 2_000;
/** Refusals that no repetition changes. */
const forGood: readonly string[] = [
  'HM-APP-UNKNOWN',
  'HM-SERVICE-UNKNOWN',
  'HM-TARGET-UNKNOWN',
  'HM-PORT-TAKEN',
  'HM-COMPOSE-LIMIT',
  'HM-NETWORK-TAKEN',
];

export class Operator {
  readonly #life: Life;
  readonly #clock: Clock;
  readonly #secrets: SecretBox;
  /** By app: what it was last said to be. */
  readonly #said = new Map<number, readonly ServicePlan[]>();
  #last: Promise<void> = Promise.resolve();
  waiting = 0;
  taken = 0;

  constructor(life: Life, world: { readonly clock: Clock; readonly secrets: SecretBox }) {
    this.#life = life;
    this.#clock = world.clock;
    this.#secrets = world.secrets;
  }

  order(order: Order): void {
    this.waiting += 1;
    this.#last = this.#last.then(() => this.#carryOut(order));
  }

  async #carryOut(order: Order): Promise<void> {
    const message = await this.#messageOf(order);
    while (message) {
      const answer = await this.#attempt(message);
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

  /** Nothing for a change of what was never there. */
  async #messageOf(order: Order): Promise<Message | undefined> {
    const app = appName(order.app);
    switch (order.do) {
      case 'deploy':
        this.#said.set(order.app, order.services);
        return this.#deploy(order.app, order.services);
      case 'change': {
        const services = this.#said.get(order.app)?.map((service) => changed(service, order));
        if (!services) return undefined;
        this.#said.set(order.app, services);
        return this.#deploy(order.app, services);
      }
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
        this.#said.delete(order.app);
        return { type: 'app.remove', app, volumes: order.volumes };
    }
  }

  /** As the API's door does it: contents are sealed, and every other app is fixed to the content of its images. */
  async #deploy(app: number, services: readonly ServicePlan[]): Promise<Message> {
    const call = { key: `seal ${app}`, signal: new AbortController().signal };
    const { spec, sealed } = await sealApp(this.#secrets, specOf(app, services), call);
    const pinned = Object.values(spec.services).map(({ image }) => [image, scriptedDigest(image)] as const);
    return {
      type: 'app.deploy',
      spec,
      ...(sealed.length > 0 ? { sealed } : {}),
      ...(app % 2 === 1 ? { digests: Object.fromEntries(pinned) } : {}),
    };
  }
}

function changed(service: ServicePlan, order: Extract<Order, { do: 'change' }>): ServicePlan {
  const { needs } = service;
  if (!needs) return service;
  const { memory = needs.memory, content = needs.content } = order;
  return { ...service, needs: { ...needs, content, ...(memory === undefined ? {} : { memory }) } };
}
