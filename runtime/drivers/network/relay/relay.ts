/**
 * Published ports at the IPv6 addresses of the machine. Containers have IPv4 addresses alone, and rules translate no
 * address of one family to the other: so the node listens there itself and passes on what comes. What the whole wish
 * lacks is closed, what it has anew is opened; what cannot be opened, as at an address that the machine does not have,
 * is tried again at the next look. Connections outlive the listener they came by, not the daemon.
 */
import { isIpv6Text } from '../../../../protocols/network/ipv6.ts';
import type { Publication } from '../../../../protocols/network/model.ts';
import type { Clock } from '../../../../protocols/ports.ts';
import { openTcpDoor } from './tcp.ts';
import { openUdpDoor } from './udp.ts';

export interface Backend {
  readonly address: string;
  readonly port: number;
}

export interface Place {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
}

/** One listener. */
export interface Door {
  /** From now on who is new is led there; never empty. */
  lead(backends: readonly Backend[]): void;
  /** Nobody new; connections that are under way go on. */
  close(): void;
}

/** How much passes at once, over all doors. */
export interface Passages {
  readonly clock: Clock;
  readonly open: Set<{ destroy(): void }>;
  /** Turned away because there were too many. */
  refused: number;
}

interface Held extends Place {
  backends: readonly Backend[];
  door?: Door;
}

const anywhere = '::';
const nameOf = ({ protocol, address, port }: Place): string => `${protocol} ${address} ${port}`;

export class Relay {
  readonly #passages: Passages;
  readonly #held = new Map<string, Held>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#passages = { clock, open: new Set(), refused: 0 };
  }

  /** How much is under way, and how much was turned away. */
  get counts(): { readonly open: number; readonly refused: number } {
    return { open: this.#passages.open.size, refused: this.#passages.refused };
  }

  /** The whole wish. IPv4 addresses are none of its business, but for the one that stands for all. */
  set(publications: readonly Publication[]): Promise<void> {
    const wished = wishesOf(publications);
    for (const [name, held] of this.#held) {
      const wish = wished.get(name);
      if (wish) {
        held.backends = wish.backends;
        held.door?.lead(wish.backends);
      } else {
        this.#held.delete(name);
        held.door?.close();
      }
    }
    for (const [name, wish] of wished) if (!this.#held.has(name)) this.#held.set(name, wish);
    return this.look();
  }

  /** Opens what could not be opened before. */
  look(): Promise<void> {
    const done = this.#turn.then(async () => {
      for (const held of [...this.#held.values()].filter(({ door }) => !door)) await this.#open(held);
    });
    this.#turn = done;
    return done;
  }

  async #open(held: Held): Promise<void> {
    const open = held.protocol === 'tcp' ? openTcpDoor : openUdpDoor;
    const door = await open(held, held.backends, this.#passages);
    if (!door) return;
    // The wish may have changed meanwhile.
    if (this.#held.get(nameOf(held)) !== held) return door.close();
    door.lead(held.backends);
    held.door = door;
  }

  /** Whether a socket at this place is one of its own. */
  holds(place: Place): boolean {
    return this.#held.get(nameOf(place))?.door !== undefined;
  }

  close(): void {
    for (const { door } of this.#held.values()) door?.close();
    this.#held.clear();
    for (const passage of this.#passages.open) passage.destroy();
  }
}

/** One owner a place: the first. Without a backend nobody listens: who calls is refused at once. */
function wishesOf(publications: readonly Publication[]): ReadonlyMap<string, Held> {
  const wished = new Map<string, Held>();
  for (const { port, backends } of publications) {
    const address = port.hostAddress === '0.0.0.0' ? anywhere : port.hostAddress;
    if (!isIpv6Text(address)) continue;
    const held: Held = { protocol: port.protocol, address, port: port.hostPort, backends };
    if (backends.length > 0 && !wished.has(nameOf(held))) wished.set(nameOf(held), held);
  }
  return wished;
}
