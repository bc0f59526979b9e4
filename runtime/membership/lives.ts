/**
 * Keeps a membership subtree alive: one life at a time, the next after a pause that grows while lives are short. A node
 * whose subtree fails goes on with everything else; the others may suspect it meanwhile.
 */
import type { NodeEvent } from '../../protocols/effects.ts';
import { reason, reasonOf } from '../../protocols/errors.ts';
import { restartDelayMs } from '../../protocols/supervision/backoff.ts';
import type { Clock, Random } from '../../protocols/ports.ts';
import { defaultBackoff } from '../../supervisors/child-spec.ts';
import type { BeginLife, FromHost, LifeChannel, LifeStart, ToHost } from './messages.ts';

export interface LivesOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly begin: BeginLife;
  /**
   * What a life begins with. Each but the first has a boot above the one before: its packets would be taken for copies
   * of those, and its words for older ones.
   */
  start(first: boolean): Promise<LifeStart>;
  hear(message: FromHost): void;
  emit(event: NodeEvent): void;
  /** Another life has begun, or none is there: what was asked of the last one is not answered any more. */
  turned(): void;
}

/** So many failures in a row are told, and then every so many: one a minute. */
const tellAll = 5;
const tellEvery = 12;

export class Lives {
  readonly #options: LivesOptions;
  #channel: LifeChannel | undefined;
  #beganAt = 0;
  #failures = 0;
  #timer: unknown;
  #closed = false;
  /** Of the present life; a message of an earlier one is nobody's. */
  #life = 0;

  constructor(options: LivesOptions) {
    this.#options = options;
  }

  /** The first one. Rejects as it does: a node that cannot listen does not start. */
  async open(): Promise<void> {
    this.#channel = await this.#begin();
  }

  /** `false` while there is no life. */
  post(message: ToHost): boolean {
    this.#channel?.post(message);
    return this.#channel !== undefined;
  }

  /** Ends the present life for another at once: its boot was wrong. */
  async renew(): Promise<void> {
    await this.#end();
    await this.#again();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#options.clock.clearTimer(this.#timer);
    await this.#end();
  }

  async #begin(): Promise<LifeChannel> {
    const { begin, start, hear, clock } = this.#options;
    const life = ++this.#life;
    this.#beganAt = clock.monotonicMs();
    return begin(
      await start(life === 1),
      (message) => {
        if (life === this.#life && !this.#closed) hear(message);
      },
      (why) => {
        if (life === this.#life && !this.#closed) void this.#failed(why);
      },
    );
  }

  async #end(): Promise<void> {
    const channel = this.#channel;
    this.#channel = undefined;
    this.#life += 1;
    this.#options.turned();
    await channel?.close();
  }

  async #failed(why: string): Promise<void> {
    const { clock, random, node, emit } = this.#options;
    const livedMs = clock.monotonicMs() - this.#beganAt;
    await this.#end();
    this.#failures = livedMs >= defaultBackoff.resetAfterMs ? 1 : this.#failures + 1;
    const delayMs = Math.round(
      restartDelayMs(defaultBackoff, this.#failures - 1) * (1 + defaultBackoff.jitter * random.next()),
    );
    const because = reason('HM-MEMBERSHIP-DOWN', `The membership subtree ended: ${why}`, {
      failures: this.#failures,
      againInMs: delayMs,
    });
    const { message } = because;
    // One that fails for ever is told often enough.
    if (this.#failures <= tellAll || this.#failures % tellEvery === 0)
      emit({ type: 'membership.failed', subject: node, level: 'error', message, reason: because });
    this.#timer = clock.setTimer(delayMs, () => void this.#again());
  }

  async #again(): Promise<void> {
    if (this.#closed) return;
    try {
      const channel = await this.#begin();
      if (this.#closed) return await channel.close();
      this.#channel = channel;
      this.#options.turned();
    } catch (thrown) {
      await this.#failed(reasonOf(thrown).message);
    }
  }
}
