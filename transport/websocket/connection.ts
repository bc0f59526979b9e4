/** One connection over a WebSocket that has been opened and whose other end is proven. One message is one frame. */
import type { Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { reason, type Reason } from '../../protocols/errors.ts';
import type { Clock } from '../../protocols/ports.ts';
import {
  streamFrameBytes,
  streamWaitingBytes,
  type StreamConnection,
  type StreamEars,
  type StreamIdentity,
} from '../stream-link.ts';

/**
 * What both ends ask of ws. Nothing of it is answered by itself, so that nobody makes it write without reading; the
 * frames of one message and the pieces of one frame are bounded, as each costs more than it carries.
 */
export const webSocketBounds = {
  maxPayload: streamFrameBytes,
  perMessageDeflate: false,
  autoPong: false,
  maxFragments: 16,
  maxBufferedChunks: 16_384,
  /** ms for the other end to answer the end of the connection. */
  closeTimeout: 2_000,
} as const;

export interface ProvenPeer extends StreamIdentity {
  /** End of its certificate's term, ms since 1970. */
  readonly notAfterMs: number;
}

/** A WebSocket that has been opened, with what it writes to and who is at its other end. */
export interface ProvenSocket {
  readonly socket: WebSocket;
  readonly wire: Writable;
  readonly peer: ProvenPeer;
}

export class WebSocketConnection implements StreamConnection {
  readonly peer: StreamIdentity;
  readonly notAfterMs: number;
  readonly #socket: WebSocket;
  /** What the WebSocket writes to. */
  readonly #wire: Writable;
  readonly #clock: Clock;
  #gathering = false;
  #ears: StreamEars | undefined = undefined;
  #because: Reason | undefined = undefined;
  #full = false;
  /** Resolves when the connection is gone. */
  readonly over: Promise<void>;

  constructor({ socket, wire, peer: { id, name, role, notAfterMs } }: ProvenSocket, clock: Clock) {
    this.peer = { id, name, role };
    this.notAfterMs = notAfterMs;
    this.#socket = socket;
    this.#wire = wire;
    this.#clock = clock;
    // Nothing is read before somebody hears it.
    socket.pause();
    socket.on('message', (bytes: Buffer, isBinary) => {
      if (this.#because !== undefined) return;
      if (isBinary) this.#ears?.frame(bytes);
      else this.close(reason('HM-PEER-MESSAGE', 'The other end sent text.'));
    });
    // A close with its own reason follows each.
    socket.on('error', (error) => (this.#because ??= broken(error.message)));
    this.over = new Promise((resolve) => {
      socket.on('close', (code) => {
        this.#because ??= broken(`the other end closed it (${code})`);
        this.#ears?.ended(this.#because);
        resolve();
      });
    });
  }

  hear(ears: StreamEars): void {
    this.#ears = ears;
    this.#socket.resume();
  }

  get waiting(): number {
    return this.#socket.bufferedAmount;
  }

  send(frame: Uint8Array): void {
    if (this.#because !== undefined || this.#socket.readyState !== this.#socket.OPEN) return;
    if (frame.length > streamFrameBytes)
      return this.close(reason('HM-PEER-MESSAGE', 'A frame is longer than one may be.'));
    this.#gather();
    this.#socket.send(frame, { binary: true }, () => this.#left());
    if (this.waiting >= streamWaitingBytes) this.#full = true;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(because: Reason): void {
    if (this.#because !== undefined) return;
    this.#because = because;
    this.#socket.close(1_000);
    // Who is held back would not hear the other end's farewell.
    this.#socket.resume();
  }

  /** At once, without a farewell. */
  cut(): void {
    this.#socket.terminate();
  }

  /** What is sent in one turn of the event loop leaves as one packet, and not a packet a frame. */
  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#wire.cork();
    this.#clock.defer(() => {
      this.#gathering = false;
      this.#wire.uncork();
    });
  }

  #left(): void {
    if (!this.#full || this.waiting >= streamWaitingBytes) return;
    this.#full = false;
    this.#ears?.drained();
  }
}

function broken(what: string): Reason {
  return reason('HM-PEER-UNREACHABLE', `The connection ended: ${what}.`);
}
