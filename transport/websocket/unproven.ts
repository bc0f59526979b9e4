/**
 * Connections to the cluster port that have not shown a good certificate yet: few, not for long, and few from one
 * address. So who may not enter can neither use up memory nor keep others from the door.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../../protocols/ports.ts';
import { limits } from '../../protocols/limits.ts';

interface Waiting {
  readonly socket: Socket;
  readonly timer: unknown;
}

export class Unproven {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();
  readonly #byAddress = new Map<string, number>();
  /** Called when one took too long. */
  readonly #slow: () => void;

  constructor(clock: Clock, slow: () => void) {
    this.#clock = clock;
    this.#slow = slow;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Whether there is room for one more. It is cut when it is not `proven` or `asking` in time. */
  take(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const near = this.#byAddress.get(address) ?? 0;
    if (this.#waiting.size >= limits.unprovenConnections || near >= limits.unprovenOfAddress) return false;
    const name = nameOf(socket);
    this.#byAddress.set(address, near + 1);
    const timer = this.#clock.setTimer(limits.peerConnectMs, () => {
      this.#slow();
      socket.destroy();
    });
    this.#waiting.set(name, { socket, timer });
    socket.once('close', () => this.#leave(name, address));
    return true;
  }

  /** It has proven itself, and is somebody else's to bound. `socket` may be TLS above the one that was taken. */
  proven(socket: Socket): void {
    this.#leave(nameOf(socket), socket.remoteAddress ?? '');
  }

  /** It asks for something that may be asked for without a certificate, and whoever answers bounds that. */
  asking(socket: Socket): void {
    this.#clock.clearTimer(this.#waiting.get(nameOf(socket))?.timer);
  }

  cut(): void {
    for (const { socket } of this.#waiting.values()) socket.destroy();
  }

  #leave(name: string, address: string): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) return;
    this.#clock.clearTimer(waiting.timer);
    this.#waiting.delete(name);
    const near = this.#byAddress.get(address)! - 1;
    if (near > 0) this.#byAddress.set(address, near);
    else this.#byAddress.delete(address);
  }
}

/** A connection is known by where it comes from, as long as it lasts. */
function nameOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
