/**
 * Questions from outside that wait for an actor's `reply`. Each is answered exactly once: by the actor, by its
 * end, or by its deadline. A reply to a question that nobody waits for any more is a dead letter.
 */
import { CodedError, coded, type Reason } from '../../protocols/errors.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { Cell } from './cell.ts';

interface Question {
  readonly cell: Cell;
  readonly timer: unknown;
  resolve(value: unknown): void;
  reject(error: CodedError): void;
}

export class Asks {
  readonly #clock: Clock;
  readonly #open = new Map<string, Question>();
  #asked = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The name to hand to the actor as `replyTo`. */
  open(
    cell: Cell,
    message: string,
    timeoutMs: number,
    question: Pick<Question, 'resolve' | 'reject'>,
  ): string {
    this.#asked += 1;
    const replyTo = `ask.${this.#asked}`;
    const timer = this.#clock.setTimer(timeoutMs, () => {
      const evidence = { actor: cell.path, message, timeoutMs };
      this.#close(replyTo)?.reject(
        coded('HM-ACTOR-TIMEOUT', `${cell.path} did not answer ${message} within ${timeoutMs} ms.`, evidence),
      );
    });
    this.#open.set(replyTo, { cell, timer, ...question });
    cell.asks ??= new Set();
    cell.asks.add(replyTo);
    return replyTo;
  }

  /** False when nobody waits for it. */
  answer(replyTo: string, answer: { readonly value?: unknown; readonly error?: Reason }): boolean {
    const question = this.#close(replyTo);
    if (question === undefined) return false;
    if (answer.error !== undefined) question.reject(new CodedError(answer.error));
    else question.resolve(answer.value);
    return true;
  }

  /** The actor has ended. */
  ended(cell: Cell): void {
    for (const replyTo of cell.asks ?? []) {
      this.#close(replyTo)?.reject(
        coded('HM-ACTOR-STOPPED', `${cell.path} stopped before it answered.`, { actor: cell.path }),
      );
    }
  }

  endAll(): void {
    for (const { cell } of [...this.#open.values()]) this.ended(cell);
  }

  #close(replyTo: string): Question | undefined {
    const question = this.#open.get(replyTo);
    if (question === undefined) return undefined;
    this.#open.delete(replyTo);
    question.cell.asks?.delete(replyTo);
    this.#clock.clearTimer(question.timer);
    return question;
  }
}
