/** Questions to one peer that wait for its answer. Each ends exactly once: answered, refused, overdue, let go or lost. */
import { CodedError, coded, type Reason } from '../../protocols/errors.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { CallOptions, TypeCounts } from '../../protocols/wire/calls.ts';

interface Question {
  readonly type: string;
  readonly counts: TypeCounts;
  resolve(value: unknown): void;
  reject(error: Error): void;
  readonly timer: unknown;
  letGo(): void;
}

export class Questions {
  readonly #clock: Clock;
  readonly #open = new Map<number, Question>();
  /** Called when a question ends without the peer's doing: it need not answer any more. */
  readonly #cancelled: (id: number, why: 'overdue' | 'let go') => void;
  #asked = 0;

  constructor(clock: Clock, cancelled: (id: number, why: 'overdue' | 'let go') => void) {
    this.#clock = clock;
    this.#cancelled = cancelled;
  }

  get size(): number {
    return this.#open.size;
  }

  open(
    type: string,
    counts: TypeCounts,
    { timeoutMs, signal }: CallOptions,
  ): { readonly id: number; readonly answer: Promise<unknown> } {
    this.#asked = (this.#asked + 1) % 2 ** 32;
    const id = this.#asked;
    const answer = new Promise<unknown>((resolve, reject) => {
      const overdue = (): void => {
        const text = `The node did not answer ${type} within ${timeoutMs} ms.`;
        this.#give(id, 'overdue', text, { message: type, timeoutMs });
      };
      const aborted = (): void =>
        this.#give(id, 'let go', `Nobody waits for the answer to ${type} any more.`, { message: type });
      signal?.addEventListener('abort', aborted, { once: true });
      this.#open.set(id, {
        type,
        counts,
        resolve,
        reject,
        timer: timeoutMs === Infinity ? undefined : this.#clock.setTimer(timeoutMs, overdue),
        letGo: () => signal?.removeEventListener('abort', aborted),
      });
    });
    return { id, answer };
  }

  waits(id: number): boolean {
    return this.#open.has(id);
  }

  typeOf(id: number): string | undefined {
    return this.#open.get(id)?.type;
  }

  answered(id: number, value: unknown): void {
    this.#close(id, 'answered')?.resolve(value);
  }

  /** By the peer. */
  refused(id: number, because: Reason): void {
    this.#close(id, 'refused')?.reject(new CodedError(because));
  }

  /** No answer can come, or none that may be taken. */
  failed(id: number, because: Reason): void {
    this.#close(id, 'failed')?.reject(new CodedError(because));
  }

  /** All of them: no answer can come any more. */
  lost(because: Reason): void {
    for (const id of [...this.#open.keys()]) this.failed(id, because);
  }

  #give(id: number, why: 'overdue' | 'let go', text: string, evidence: Reason['evidence']): void {
    const question = this.#close(id, why === 'overdue' ? 'timedOut' : 'letGo');
    if (question === undefined) return;
    this.#cancelled(id, why);
    question.reject(coded('HM-PEER-TIMEOUT', text, evidence));
  }

  #close(id: number, end: keyof TypeCounts): Question | undefined {
    const question = this.#open.get(id);
    if (question === undefined) return undefined;
    this.#open.delete(id);
    question.counts[end] += 1;
    this.#clock.clearTimer(question.timer);
    question.letGo();
    return question;
  }
}
