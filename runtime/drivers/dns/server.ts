/**
 * The node's DNS responder: answers its zone at once and forwards the rest to the machine's own resolvers, over UDP
 * and TCP. What it answers is decided in `protocols/discovery/answers.ts`; here are sockets and bytes.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, type Server, type Socket as TcpSocket } from 'node:net';
import packet, { type DecodedPacket } from 'dns-packet';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { zoneOf, type Zone } from '../../../protocols/discovery/answers.ts';
import type { Clock, NameServer } from '../../../protocols/ports.ts';
import { createForwarder, type Forwarder } from './forwarder.ts';
import { reply, servfail, truncated } from './replies.ts';

export interface NameServerOptions {
  readonly clock: Clock;
}

interface Listening {
  readonly key: string;
  readonly udp: Socket;
  readonly tcp: Server;
  readonly forwarder: Forwarder;
  readonly streams: Set<TcpSocket>;
}

export function createNameServer({ clock }: NameServerOptions): NameServer {
  let zone: Zone = zoneOf({ names: [], clients: [] });
  let listening: Listening | undefined;
  let turn = 0;

  /** Answers through `send`; bytes that are no question get nothing. */
  const handle = (
    bytes: Buffer,
    client: string,
    forwarder: Forwarder,
    send: (answer: Buffer) => void,
  ): void => {
    const query = decode(bytes);
    if (!query?.questions?.[0] || query.type === 'response') return;
    turn = (turn + 1) % 0x10000;
    const own = reply(zone, query, client, turn);
    if (own) send(own);
    else forwarder.forward(bytes, (answer) => send(answer ?? servfail(query)));
  };

  const close = async (): Promise<void> => {
    const old = listening;
    listening = undefined;
    if (!old) return;
    old.forwarder.close();
    for (const stream of old.streams) stream.destroy();
    await Promise.all([
      new Promise<void>((done) => old.udp.close(() => done())),
      new Promise<void>((done) => old.tcp.close(() => done())),
    ]);
  };

  return {
    listen: async ({ address, port, upstreams }) => {
      const key = JSON.stringify([address, port, upstreams]);
      if (listening?.key === key) return {};
      await close();
      const forwarder = createForwarder(
        clock,
        upstreams.filter((upstream) => upstream !== address),
      );
      const streams = new Set<TcpSocket>();
      try {
        const udp = await bindUdp(address, port, (bytes, client) => {
          handle(bytes, client.address, forwarder, (answer) => {
            const fitting = answer.length <= udpBytes(bytes) ? answer : truncated(answer);
            udp.send(fitting, client.port, client.address, () => undefined);
          });
        });
        const tcp = await bindTcp(address, port, streams, (bytes, stream) => {
          handle(bytes, stream.remoteAddress ?? '', forwarder, (answer) => void stream.write(framed(answer)));
        }).catch((thrown: unknown) => {
          udp.close();
          throw thrown;
        });
        listening = { key, udp, tcp, forwarder, streams };
      } catch (thrown) {
        forwarder.close();
        throw coded(
          'HM-DNS-LISTEN',
          `DNS cannot listen on ${address}:${port}: ${(thrown as Error).message}`,
          { address, port },
        );
      }
      return {};
    },
    update: async (update) => {
      zone = zoneOf(update);
      return {};
    },
    close: async () => {
      await close();
      return {};
    },
  };
}

function decode(bytes: Buffer): DecodedPacket | undefined {
  try {
    return packet.decode(bytes);
  } catch {
    return undefined;
  }
}

/** What the asker can take in one datagram: 512, or what its EDNS record says. */
function udpBytes(query: Buffer): number {
  const edns = decode(query)?.additionals?.find((record) => record.type === 'OPT');
  return Math.max(512, edns && 'udpPayloadSize' in edns ? Number(edns.udpPayloadSize) : 512);
}

function bindUdp(
  address: string,
  port: number,
  heard: (bytes: Buffer, client: RemoteInfo) => void,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4', heard);
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      socket.unref();
      resolve(socket);
    });
  });
}

function bindTcp(
  address: string,
  port: number,
  streams: Set<TcpSocket>,
  heard: (bytes: Buffer, stream: TcpSocket) => void,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((stream) => {
      if (streams.size >= limits.dnsForwards) return void stream.destroy();
      streams.add(stream);
      let buffered: Buffer = Buffer.alloc(0);
      stream.setTimeout(5 * limits.dnsForwardMs, () => stream.destroy());
      stream.on('close', () => streams.delete(stream));
      stream.on('error', () => stream.destroy());
      stream.on('data', (chunk: Buffer) => {
        buffered = Buffer.concat([buffered, chunk]);
        while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
          const length = buffered.readUInt16BE(0);
          heard(buffered.subarray(2, 2 + length), stream);
          buffered = buffered.subarray(2 + length);
        }
      });
    });
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      server.unref();
      resolve(server);
    });
  });
}

function framed(answer: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(answer.length);
  return Buffer.concat([head, answer]);
}
