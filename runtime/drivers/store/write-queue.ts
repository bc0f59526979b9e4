/**
 * Group commit: writes that arrive while others are at work share the next commit. Each is decided in its turn, on top
 * of the ones before; all are answered when the backend has the whole group on disk, or all of them are refused.
 */
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock } from '../../../protocols/ports.ts';
import type { Stage } from './stage.ts';

interface Waiting {
  readonly decide: (stage: Stage) => unknown;
  readonly bytes: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

export interface QueueSteps {
  begin(): Stage;
  /** Makes the stage durable; throws when it could not. */
  commit(stage: Stage): void;
}

export class WriteQueue {
  readonly #clock: Clock;
  readonly #steps: QueueSteps;
  #waiting: Waiting[] = [];
  #scheduled = false;
  #closed = false;

  constructor(clock: Clock, steps: QueueSteps) {
    this.#clock = clock;
    this.#steps = steps;
  }

  /** Resolves with what `decide` answered, once it is durable. */
  add<Value>(decide: (stage: Stage) => Value, signal?: AbortSignal, bytes = 0): Promise<Value> {
    if (this.#closed) return Promise.reject(coded('HM-STORE-DOWN', 'The store is closed.'));
    if (this.#waiting.length >= limits.storeQueue) {
      return Promise.reject(coded('HM-STORE-DOWN', `${limits.storeQueue} writes are waiting already.`));
    }
    return new Promise<Value>((resolve, reject) => {
      this.#waiting.push({ decide, bytes, signal, resolve, reject });
      this.#schedule();
    });
  }

  close(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting) reject(coded('HM-STORE-DOWN', 'The store was closed.'));
    this.#waiting = [];
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    this.#clock.defer(() => {
      this.#scheduled = false;
      this.#drain();
      this.#schedule();
    });
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      bytes += waiting.bytes;
      if (count > 0 && (count >= limits.storeGroupCommit || bytes > limits.storeGroupBytes)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  #drain(): void {
    const group = this.#take();
    if (group.length === 0) return;
    const stage = this.#steps.begin();
    const decided: { readonly waiting: Waiting; readonly value: unknown }[] = [];
    for (const waiting of group) {
      try {
        if (waiting.signal?.aborted) throw coded('HM-STORE-DOWN', 'Its caller gave up before it was begun.');
        decided.push({ waiting, value: waiting.decide(stage) });
      } catch (error) {
        waiting.reject(error);
      }
    }
    try {
      if (stage.changed || stage.answers.size > 0) this.#steps.commit(stage);
    } catch (error) {
      for (const { waiting } of decided) waiting.reject(error);
      return;
    }
    for (const { waiting, value } of decided) waiting.resolve(value as never);
  }
}
