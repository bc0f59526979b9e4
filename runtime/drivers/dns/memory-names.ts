/**
 * The name server of a simulated machine: the same decisions without sockets. Who asks it hears what the zone says
 * that it was told last; upstreams are nobody's.
 */
import { answer, zoneOf, type Answer } from '../../../protocols/discovery/answers.ts';
import type { ZoneUpdate } from '../../../protocols/discovery/model.ts';
import { coded } from '../../../protocols/errors.ts';
import type { NameServer } from '../../../protocols/ports.ts';

export class MemoryNames implements NameServer {
  zone: ZoneUpdate = { names: [], clients: [] };
  /** Where it listens: `10.42.0.1:53`. */
  door: string | undefined;
  /** Doors that somebody else holds. */
  readonly foreign = new Set<string>();
  #turn = 0;

  listen: NameServer['listen'] = async ({ address, port }) => {
    const wanted = `${address}:${port}`;
    if (this.door === wanted) return {};
    this.door = undefined;
    if (this.foreign.has(wanted)) {
      throw coded('HM-DNS-LISTEN', `DNS cannot listen on ${wanted}`, { address, port });
    }
    this.door = wanted;
    return {};
  };

  update: NameServer['update'] = async (zone) => {
    this.zone = zone;
    return {};
  };

  close: NameServer['close'] = async () => {
    this.door = undefined;
    return {};
  };

  /** What a client hears; `undefined` where nobody listens. */
  ask(name: string, type: string, client: string): Answer | undefined {
    if (this.door === undefined) return undefined;
    const found = answer(zoneOf(this.zone), { name, type }, client, this.#turn);
    if (found.kind === 'addresses' && found.addresses.length > 1) this.#turn += 1;
    return found;
  }
}
