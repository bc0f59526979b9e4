/**
 * How much one client of one door may ask (a token at an address): a bucket each, one for all requests and a smaller one for changes,
 * which cost a commit. What is over is refused with HM-API-BUSY, which says when to come back; nothing waits here.
 */
import { LRUCache } from 'lru-cache';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock } from '../../../protocols/ports.ts';

interface Bucket {
  tokens: number;
  atMs: number;
}

interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export class Rates {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #requests: Rate = { perSecond: limits.apiRequestsPerSecond, burst: limits.apiRequestBurst };
  readonly #changes: Rate = { perSecond: limits.apiChangesPerSecond, burst: limits.apiChangeBurst };
  /** The bucket of a client that is forgotten was full again long since, or the door has more clients than it may. */
  readonly #buckets = new LRUCache<string, Bucket>({ max: limits.apiClients });
  refused = 0;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** HM-API-BUSY with `retryAfterS` when the client has asked too much. */
  take(client: string, isChange: boolean): void {
    this.#take(client, this.#requests, 'requests');
    if (isChange) this.#take(`${client} changes`, this.#changes, 'changes');
  }

  #take(name: string, rate: Rate, what: string): void {
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(name) ?? { tokens: rate.burst, atMs: nowMs };
    bucket.tokens = Math.min(rate.burst, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * rate.perSecond);
    bucket.atMs = nowMs;
    this.#buckets.set(name, bucket);
    if (bucket.tokens < 1) {
      this.refused += 1;
      const retryAfterS = Math.max(1, Math.ceil((1 - bucket.tokens) / rate.perSecond));
      throw coded(
        'HM-API-BUSY',
        `More than ${rate.perSecond} ${what} a second`,
        { retryAfterS, perSecond: rate.perSecond },
        `Repeat it after ${retryAfterS} s.`,
      );
    }
    bucket.tokens -= 1;
  }
}
