/** What waits to be sent to one peer, in its order and within its bounds. */
import { limits } from '../../protocols/limits.ts';

interface Waiting {
  readonly bytes: Uint8Array;
  /** False when it need not be sent any more. */
  readonly wanted: (() => boolean) | undefined;
}

export class Outbox {
  #waiting: Waiting[] = [];
  #from = 0;
  bytes = 0;

  get frames(): number {
    return this.#waiting.length - this.#from;
  }

  /** Whether a frame of so many bytes may be added; the only one always may. */
  takes(bytes: number): boolean {
    if (this.frames === 0) return true;
    return this.frames < limits.peerQueueFrames && this.bytes + bytes <= limits.peerQueueBytes;
  }

  add(bytes: Uint8Array, wanted?: () => boolean): void {
    this.#waiting.push({ bytes, wanted });
    this.bytes += bytes.length;
  }

  /** The next that is still wanted. */
  take(): Uint8Array | undefined {
    for (;;) {
      const next = this.#waiting[this.#from];
      if (next === undefined) return undefined;
      this.#from += 1;
      this.bytes -= next.bytes.length;
      if (this.#from === this.#waiting.length) this.#begin([]);
      else if (this.#from >= 1_024) this.#begin(this.#waiting.slice(this.#from));
      if (next.wanted === undefined || next.wanted()) return next.bytes;
    }
  }

  /** How many there were. */
  clear(): number {
    const { frames } = this;
    this.#begin([]);
    this.bytes = 0;
    return frames;
  }

  #begin(waiting: Waiting[]): void {
    this.#waiting = waiting;
    this.#from = 0;
  }
}
