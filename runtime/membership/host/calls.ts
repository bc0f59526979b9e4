/** Questions of the subtree to peers over streams: the main thread has the connections, this keeps who waits for what. */
import { CodedError, coded } from '../../../protocols/errors.ts';
import type { NodeId } from '../../../protocols/membership/model.ts';
import type { Clock } from '../../../protocols/ports.ts';
import type { CallType, FromHost, StreamPeer, ToHost } from '../messages.ts';

export interface StreamAnswer {
  readonly id: NodeId;
  readonly body: unknown;
  readonly rttMs: number;
}

interface Waiting {
  readonly timer: unknown;
  resolve(answer: StreamAnswer): void;
  reject(thrown: CodedError): void;
}

/** The main thread keeps the time of a call; when even it says nothing, the call is over so much later. */
const graceMs = 1_000;

export class HostCalls {
  readonly #clock: Clock;
  readonly #out: (message: FromHost) => void;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(clock: Clock, out: (message: FromHost) => void) {
    this.#clock = clock;
    this.#out = out;
  }

  /** Rejects as `Calls.call` does. */
  call(type: CallType, to: StreamPeer, body: unknown, timeoutMs: number): Promise<StreamAnswer> {
    const request = ++this.#last;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(timeoutMs + graceMs, () => {
        this.#waiting.delete(request);
        reject(coded('HM-PEER-TIMEOUT', `${type} was not answered within ${timeoutMs} ms`));
      });
      this.#waiting.set(request, { timer, resolve, reject });
      this.#out({ kind: 'call', request, type, to, body, timeoutMs });
    });
  }

  answered({ request, answer, error }: Extract<ToHost, { kind: 'called' }>): void {
    const waiting = this.#waiting.get(request);
    if (!waiting) return;
    this.#waiting.delete(request);
    this.#clock.clearTimer(waiting.timer);
    if (answer) waiting.resolve(answer);
    else waiting.reject(error ? new CodedError(error) : coded('HM-PEER-UNREACHABLE'));
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) this.#clock.clearTimer(timer);
    this.#waiting.clear();
  }
}
