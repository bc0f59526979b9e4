/** The observed actor's ports over a node's connections, its membership and its keys. */
import type { Membership } from '../../protocols/membership/views/port.ts';
import type { MachineFacts } from '../../protocols/observed/model.ts';
import type { RecordSeals } from '../../protocols/observed/ports.ts';
import type { Ports } from '../../protocols/ports.ts';
import type { Calls } from '../../protocols/wire/calls.ts';

export interface RecordWorld {
  readonly calls: Calls;
  readonly membership: Membership;
  readonly seals: RecordSeals;
  machine(): Promise<MachineFacts>;
}

export function recordPorts(world: RecordWorld): Required<Pick<Ports, 'machine' | 'seals' | 'peers'>> {
  const { calls, membership, seals } = world;
  return {
    machine: { measure: () => world.machine() },
    seals,
    peers: {
      ask: ({ to, type, body, timeoutMs }, { signal }) => calls.call(to, type, body, { timeoutMs, signal }),
      tell: ({ digest }) => {
        membership.tellDigest(digest);
        return Promise.resolve({});
      },
      members: () => Promise.resolve({ members: membership.members() }),
    },
  };
}
