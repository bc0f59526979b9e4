/**
 * One TCP connection carried over one WebSocket of the subprotocol `v1.port-forward.hivemind`: the same at both of its
 * ends. Binary frames are bytes, the text `end` says that no more come from that side, and a close other than 1000
 * says that the connection broke off. Who does not read makes the other side wait.
 */
import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { limits } from '../../protocols/limits.ts';

export const forwardProtocol = 'v1.port-forward.hivemind';

/** Bytes that wait for the other side beyond this pause the connection they come from. */
const waitingBytes = 1_048_576;

const whole = 1000;
const broken = 1011;
const wrong = 1008;

/** Of a stream that is open, allows half-open and has not been read yet, and an open WebSocket; to the end of both. */
export async function bridge(socket: WebSocket, stream: Socket): Promise<void> {
  const over = new Promise<void>((resolve) => {
    let closed = 0;
    const one = (): void => void (++closed === 2 && resolve());
    socket.once('close', one);
    stream.once('close', one);
  });
  carryOut(socket, stream);
  carryIn(socket, stream);
  // ws closes it by itself, with the code that says why.
  socket.on('error', () => stream.pause());
  socket.once('close', (code: number) => {
    if (code !== whole) return void stream.resetAndDestroy();
    // What came is still written, as long as somebody takes it.
    stream.end();
    stream.resume();
    stream.setTimeout(limits.forwardConnectMs, () => stream.destroy());
  });
  stream.on('error', () => socket.close(broken));
  stream.once('close', () => {
    socket.resume();
    socket.close(whole);
  });
  await over;
}

function carryOut(socket: WebSocket, stream: Socket): void {
  stream.on('data', (bytes) => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(bytes, { binary: true }, () => {
      if (socket.bufferedAmount < waitingBytes / 2) stream.resume();
    });
    if (socket.bufferedAmount > waitingBytes) stream.pause();
  });
  stream.once('end', () => {
    if (socket.readyState === socket.OPEN) socket.send('end');
  });
}

function carryIn(socket: WebSocket, stream: Socket): void {
  socket.on('message', (data: RawData, isBinary) => {
    if (stream.destroyed) return;
    if (isBinary) {
      if (stream.write(bytesOf(data)) || socket.isPaused) return;
      socket.pause();
      stream.once('drain', () => socket.resume());
    } else if (bytesOf(data).toString() === 'end') stream.end();
    else socket.close(wrong, 'a text is end');
  });
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
