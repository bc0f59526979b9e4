/**
 * The node's DNS responder: answers its zone at once and forwards the rest to the machine's own resolvers, over UDP
 * and TCP. What is answered is decided in `protocols/discovery/answers.ts`, what becomes of a message in
 * `responder.ts`; here are the doors. No recursion of its own, no DNSSEC, no zone transfers.
 */
import type { Socket } from 'node:dgram';
import { LRUCache } from 'lru-cache';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock, NameServer, Random } from '../../../protocols/ports.ts';
import { createForwarder, type Forwarder } from './forwarder.ts';
import { truncated } from './replies.ts';
import { Responder, type NameServerCounts } from './responder.ts';
import { bindTcp, bindUdp, writeTo, type StreamDoor } from './sockets.ts';

export interface NameServerOptions {
  readonly clock: Clock;
  readonly random: Random;
}

export interface CountingNameServer extends NameServer {
  readonly counts: Readonly<NameServerCounts>;
}

interface Doors {
  readonly key: string;
  readonly udp: Socket;
  readonly tcp: StreamDoor;
  /** For whoever names no servers of its own … */
  readonly forwarder: Forwarder;
  /** … and for those who do, by their servers. */
  readonly others: LRUCache<string, Forwarder>;
}

/** `listen` rejects with HM-DNS-LISTEN. */
export function createNameServer(options: NameServerOptions): CountingNameServer {
  return new Server(options);
}

class Server implements CountingNameServer {
  readonly #responder = new Responder();
  readonly counts: Readonly<NameServerCounts> = this.#responder.counts;
  readonly #options: NameServerOptions;
  #doors: Doors | undefined;
  /** Doors open and close one after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: NameServerOptions) {
    this.#options = options;
  }

  listen: NameServer['listen'] = ({ address, port, upstreams }) =>
    this.#inTurn(async () => {
      const key = JSON.stringify([address, port, upstreams]);
      if (this.#doors?.key === key) return {};
      await this.#closeDoors();
      const others = upstreams.filter((upstream) => upstream !== address);
      const forwarder = createForwarder({ ...this.#options, upstreams: others });
      const own = new LRUCache<string, Forwarder>({
        max: limits.dnsForwarders,
        dispose: (unused) => unused.close(),
      });
      this.#doors = { key, forwarder, others: own, ...(await this.#open(address, port, forwarder, own)) };
      return {};
    });

  update: NameServer['update'] = async (update) => {
    this.#responder.update(update);
    return {};
  };

  close: NameServer['close'] = () =>
    this.#inTurn(async () => {
      await this.#closeDoors();
      return {};
    });

  async #open(
    address: string,
    port: number,
    forwarder: Forwarder,
    others: Doors['others'],
  ): Promise<Pick<Doors, 'udp' | 'tcp'>> {
    const forwarders = (upstreams: readonly string[] | undefined): Forwarder => {
      // A container that names the node itself would make it ask itself.
      const servers = upstreams?.filter((upstream) => upstream !== address) ?? [];
      if (servers.length === 0) return forwarder;
      const key = servers.join(' ');
      const known = others.get(key) ?? createForwarder({ ...this.#options, upstreams: servers });
      others.set(key, known);
      return known;
    };
    let udp: Socket | undefined;
    try {
      udp = await bindUdp(address, port, (bytes, client) => {
        this.#responder.handle(bytes, client.address, 'udp', forwarders, (full, query) => {
          const fitting = query && full.length > query.udpBytes ? truncated(query, full) : full;
          // The doors may have closed while an upstream was asked.
          if (this.#doors?.forwarder === forwarder)
            udp?.send(fitting, client.port, client.address, () => undefined);
        });
      });
      const tcp = await bindTcp(address, port, (bytes, stream) => {
        const client = stream.remoteAddress ?? '';
        this.#responder.handle(bytes, client, 'tcp', forwarders, (full) => writeTo(stream, full));
      });
      return { udp, tcp };
    } catch (thrown) {
      udp?.close();
      forwarder.close();
      const text = `DNS cannot listen on ${address}:${port}: ${(thrown as Error).message}`;
      throw coded('HM-DNS-LISTEN', text, { address, port });
    }
  }

  async #closeDoors(): Promise<void> {
    const doors = this.#doors;
    this.#doors = undefined;
    if (!doors) return;
    doors.forwarder.close();
    doors.others.clear();
    await Promise.all([new Promise<void>((done) => doors.udp.close(() => done())), doors.tcp.close()]);
  }

  #inTurn<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const done = this.#changing.then(work, work);
    this.#changing = done.catch(() => undefined);
    return done;
  }
}
