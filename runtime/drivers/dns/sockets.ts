/** The two doors of the name server: datagrams, and streams with a length before each message. Bytes only. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, type Server, type Socket as Stream } from 'node:net';
import { limits } from '../../../protocols/limits.ts';

export function bindUdp(
  address: string,
  port: number,
  heard: (bytes: Buffer, client: RemoteInfo) => void,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4', (bytes, client) => {
      // Nobody can be answered at port 0: such an address is forged.
      if (client.port !== 0) heard(bytes, client);
    });
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners('error');
      // A refusal by somebody who no longer waits for his answer.
      socket.on('error', () => undefined);
      socket.unref();
      resolve(socket);
    });
  });
}

export interface StreamDoor {
  readonly server: Server;
  close(): Promise<void>;
}

/** `heard` is given each whole message. */
export function bindTcp(
  address: string,
  port: number,
  heard: (bytes: Buffer, stream: Stream) => void,
): Promise<StreamDoor> {
  const streams = new Set<Stream>();
  const server = createServer((stream) => {
    if (streams.size >= limits.dnsForwards) return void stream.destroy();
    streams.add(stream);
    stream.setTimeout(5 * limits.dnsForwardMs, () => stream.destroy());
    stream.on('close', () => streams.delete(stream));
    stream.on('error', () => stream.destroy());
    stream.on(
      'data',
      messages((bytes) => heard(bytes, stream)),
    );
  });
  const close = async (): Promise<void> => {
    for (const stream of streams) stream.destroy();
    await new Promise<void>((done) => server.close(() => done()));
  };
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.removeListener('error', reject);
      server.on('error', () => undefined);
      server.unref();
      resolve({ server, close });
    });
  });
}

/** Cuts a stream of length-prefixed messages; holds at most one unfinished message. */
export function messages(heard: (bytes: Buffer) => void): (chunk: Buffer) => void {
  let buffered: Buffer = Buffer.alloc(0);
  return (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const length = buffered.readUInt16BE(0);
      heard(buffered.subarray(2, 2 + length));
      buffered = buffered.subarray(2 + length);
    }
  };
}

/** Whoever asks and does not read the answers is left. */
export function writeTo(stream: Stream, bytes: Buffer): void {
  if (stream.destroyed) return;
  if (stream.writableLength > limits.dnsStreamBytes) stream.destroy();
  else stream.write(framed(bytes));
}

export function framed(bytes: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(bytes.length);
  return Buffer.concat([head, bytes]);
}
