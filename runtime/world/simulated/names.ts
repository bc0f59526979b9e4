/** The name server of a simulated machine: it keeps what it was told last, and answers nobody. */
import type { ZoneUpdate } from '../../../protocols/discovery/model.ts';
import type { NameServer } from '../../../protocols/ports.ts';

export class SimulatedNames implements NameServer {
  zone: ZoneUpdate = { names: [], clients: [] };

  listen: NameServer['listen'] = async () => ({});

  update: NameServer['update'] = async (zone) => {
    this.zone = zone;
    return {};
  };

  close: NameServer['close'] = async () => ({});
}
