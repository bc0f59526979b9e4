/**
 * `Idempotency-Key` on POST: the same key with the same request gives the same answer and does nothing twice. What
 * is kept lives in memory: after a restart of the node a key is new again. That is enough, because everything that a
 * POST asks for is a wish (a scale, a restart mark, a version) whose repetition is harmless, and a commit of its own
 * for every answer would cost the disk more than it saves. Answers that say "try again" are not kept.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock } from '../../../protocols/ports.ts';

export interface KeptAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

interface Entry {
  readonly fingerprint: string;
  /** Absent while it is under way. */
  answer?: KeptAnswer;
}

const tryAgain: ReadonlySet<number> = new Set([401, 403, 408, 409, 412, 413, 429]);

export class IdempotencyKeys {
  readonly #entries: LRUCache<string, Entry>;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#entries = new LRUCache<string, Entry>({
      max: limits.apiIdempotencyKeys,
      maxSize: limits.apiIdempotencyBytes,
      sizeCalculation: ({ answer }) => 256 + (answer?.text.length ?? 0),
      ttl: limits.apiIdempotencyMs,
      perf: { now: () => clock.monotonicMs() },
    });
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * `scope`: who asks for what. Answers what was answered before, or nothing: then `settle` must be called with the
   * answer. HM-API-IDEMPOTENCY (another request under this key), HM-API-IN-FLIGHT, HM-API-REQUEST (no key).
   */
  begin(
    scope: string,
    key: string,
    body: string,
  ): { readonly replay: KeptAnswer } | { readonly settle: (answer: KeptAnswer | undefined) => void } {
    if (!/^[\x21-\x7e]{1,255}$/.test(key))
      throw coded('HM-API-REQUEST', 'An Idempotency-Key has 1 to 255 visible characters', {
        at: 'header.idempotency-key',
      });
    const id = `${scope} ${key}`;
    const fingerprint = hash('sha256', body, 'base64url');
    const entry = this.#entries.get(id);
    if (entry) {
      if (entry.fingerprint !== fingerprint) throw coded('HM-API-IDEMPOTENCY', undefined, { key });
      if (!entry.answer) throw coded('HM-API-IN-FLIGHT', undefined, { key });
      return { replay: entry.answer };
    }
    this.#entries.set(id, { fingerprint });
    return {
      settle: (answer) => {
        const keeps = answer !== undefined && answer.status < 500 && !tryAgain.has(answer.status);
        if (keeps && answer.text.length <= limits.apiIdempotencyAnswer)
          this.#entries.set(id, { fingerprint, answer });
        else this.#entries.delete(id);
      },
    };
  }
}
