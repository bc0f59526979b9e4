/** Questions of the main thread to its membership subtree that wait for an answer. */
import { CodedError, coded } from '../../protocols/errors.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { FromHost, ToHost } from './messages.ts';

interface Waiting {
  readonly timer: unknown;
  resolve(value: unknown): void;
  reject(thrown: CodedError): void;
}

/** It answers within its own turn; a farewell takes a second. */
const answerMs = 5_000;

export class Questions {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects with the answer's own refusal, with HM-MEMBERSHIP-DOWN when nobody answers, and with what `post` throws. */
  ask(message: (request: number) => ToHost, post: (message: ToHost) => void): Promise<unknown> {
    const request = ++this.#last;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(answerMs, () => {
        this.#waiting.delete(request);
        reject(coded('HM-MEMBERSHIP-DOWN', `The membership subtree did not answer within ${answerMs} ms.`));
      });
      this.#waiting.set(request, { timer, resolve, reject });
      try {
        post(message(request));
      } catch (thrown) {
        this.#let(request);
        throw thrown;
      }
    });
  }

  answer({ request, value, error }: Extract<FromHost, { kind: 'answer' }>): void {
    const waiting = this.#let(request);
    if (error) waiting?.reject(new CodedError(error));
    else waiting?.resolve(value);
  }

  /** Who should answer is gone. */
  end(): void {
    for (const request of [...this.#waiting.keys()]) this.#let(request)?.reject(coded('HM-MEMBERSHIP-DOWN'));
  }

  #let(request: number): Waiting | undefined {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    this.#clock.clearTimer(waiting?.timer);
    return waiting;
  }
}
