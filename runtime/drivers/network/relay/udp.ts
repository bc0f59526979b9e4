/**
 * A socket for datagrams: each caller has a socket of his own to one of the backends, for as long as either says
 * something. Answers come from the address that the kernel picks when the door stands at all addresses.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { limits } from '../../../../protocols/limits.ts';
import type { Backend, Door, Passages, Place } from './relay.ts';

interface Talk {
  readonly end: Backend;
  readonly socket: Socket;
  timer: unknown;
  destroy(): void;
}

/** `undefined` when it cannot listen there. */
export function openUdpDoor(
  { address, port }: Place,
  backends: readonly Backend[],
  passages: Passages,
): Promise<Door | undefined> {
  const door = createSocket({ type: 'udp6', ipv6Only: true });
  const talks = new Talks(door, passages, backends);
  door.on('message', (bytes, caller) => talks.pass(bytes, caller));
  return new Promise((resolve) => {
    door.once('error', () => {
      door.close();
      resolve(undefined);
    });
    door.bind({ address, port, exclusive: true }, () => {
      door.removeAllListeners('error');
      door.on('error', () => undefined);
      door.unref();
      const close = (): void => {
        // Nobody could be answered without the door.
        talks.end(() => true);
        door.close();
      };
      resolve({ lead: (wished) => talks.lead(wished), close });
    });
  });
}

class Talks {
  readonly #door: Socket;
  readonly #passages: Passages;
  readonly #talks = new Map<string, Talk>();
  #ends: readonly Backend[];
  #turn = 0;

  constructor(door: Socket, passages: Passages, ends: readonly Backend[]) {
    this.#door = door;
    this.#passages = passages;
    this.#ends = ends;
  }

  lead(ends: readonly Backend[]): void {
    this.#ends = ends;
    const stays = (one: Backend): boolean =>
      ends.some(({ address, port }) => address === one.address && port === one.port);
    this.end(({ end }) => !stays(end));
  }

  end(which: (talk: Talk) => boolean): void {
    for (const talk of this.#talks.values()) if (which(talk)) talk.destroy();
  }

  pass(bytes: Buffer, caller: RemoteInfo): void {
    // Nobody can be answered at port 0: such an address is forged.
    if (caller.port === 0) return;
    const key = `${caller.address} ${caller.port}`;
    const talk = this.#talks.get(key) ?? this.#begin(key, caller);
    if (!talk) return void (this.#passages.refused += 1);
    this.#keep(key, talk);
    talk.socket.send(bytes, talk.end.port, talk.end.address, () => undefined);
  }

  #begin(key: string, caller: RemoteInfo): Talk | undefined {
    const end = this.#ends[this.#turn++ % this.#ends.length];
    if (!end || this.#passages.open.size >= limits.relayPassages) return undefined;
    const socket = createSocket('udp4');
    const talk: Talk = { end, socket, timer: this.#timer(key), destroy: () => this.#drop(key, talk) };
    socket.on('error', () => talk.destroy());
    socket.on('message', (bytes, { address, port }) => {
      if (address !== end.address || port !== end.port || this.#talks.get(key) !== talk) return;
      this.#keep(key, talk);
      this.#door.send(bytes, caller.port, caller.address, () => undefined);
    });
    socket.unref();
    this.#talks.set(key, talk);
    this.#passages.open.add(talk);
    return talk;
  }

  #timer(key: string): unknown {
    return this.#passages.clock.setTimer(limits.relaySilenceMs, () => this.#talks.get(key)?.destroy());
  }

  #keep(key: string, talk: Talk): void {
    this.#passages.clock.clearTimer(talk.timer);
    talk.timer = this.#timer(key);
  }

  #drop(key: string, talk: Talk): void {
    if (!this.#passages.open.delete(talk)) return;
    this.#passages.clock.clearTimer(talk.timer);
    this.#talks.delete(key);
    talk.socket.close();
  }
}
