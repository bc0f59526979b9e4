/**
 * P1: who shares no network is never given a rule. What the driver is told of a container, when it is attached and with
 * every table of rules, are networks of its own placement: not of the one before, nor of the one that follows.
 */
import type { Assignment } from '../../../../protocols/apps/model.ts';
import type { RunKey } from '../../../../protocols/containers/model.ts';
import type { AttachRequest, JoinedNetwork, Member } from '../../../../protocols/network/model.ts';
import type { StoreEvent } from '../../../../protocols/state/model.ts';
import type { PortCall } from '../../../world/simulated/gate.ts';
import { Checker } from '../checker.ts';

/** Who says nothing of networks meets the others who say nothing. */
const open = '*';
const idsOf = (networks: readonly JoinedNetwork[] | undefined): readonly string[] =>
  networks?.map(({ id }) => id) ?? [open];

export class Walls extends Checker {
  readonly name = 'P1';
  /** By slot and placement: as they were ever assigned. */
  readonly #networks = new Map<string, readonly string[]>();

  override onRevision(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (event.type !== 'put' || !event.kv.key.startsWith('nodes/')) continue;
      const { slot, placement, networks } = event.kv.value as Assignment;
      this.#networks.set(`${slot}#${placement}`, idsOf(networks));
    }
  }

  override onCall({ port, op, args }: PortCall): void {
    if (port !== 'network') return;
    if (op === 'attach') {
      const { id, networks } = args as AttachRequest;
      const key = this.sight.machine.find(id)?.key;
      if (key) this.#check(id, key, idsOf(networks), 'is attached to');
    }
    if (op !== 'publish') return;
    const { members = [] } = args as { readonly members?: readonly Member[] };
    const running = this.sight.machine.list().filter(({ phase }) => phase === 'running');
    for (const { address, networks } of members) {
      const holders = running.filter((one) => one.address === address);
      // A damaged journal may give an address twice: then the rule is right that is right for one of them.
      const right = holders.find(({ key }) => this.#isRight(key, idsOf(networks)));
      const judged = right ?? holders[0];
      if (judged) this.#check(judged.id, judged.key, idsOf(networks), 'is in the rules for');
    }
  }

  #isRight({ slot, placement }: RunKey, told: readonly string[]): boolean {
    const own = this.#networks.get(`${slot}#${placement}`);
    return own === undefined || told.every((network) => own.includes(network));
  }

  #check(id: string, { slot, placement }: RunKey, told: readonly string[], what: string): void {
    const own = this.#networks.get(`${slot}#${placement}`);
    if (!own) return;
    if (own.some((network) => network !== open)) this.exercised += 1;
    const wrong = told.find((network) => !own.includes(network));
    if (wrong !== undefined) this.fail(`${id} ${what} ${wrong}, and it is of ${own.join(', ')}`);
  }
}
