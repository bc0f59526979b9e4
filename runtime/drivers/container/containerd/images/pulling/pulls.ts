/**
 * The pulls under way: several that want the same share one, which ends when nobody waits any more. What is pulled gets
 * its name here, at the very end.
 */
import type { PullProgress } from '../../../../../../protocols/containers/model.ts';
import { registryReference } from '../../../../../../protocols/containers/registry/reference.ts';
import { coded, reasonOf } from '../../../../../../protocols/errors.ts';
import { limits } from '../../../../../../protocols/limits.ts';
import type { Stop } from '../../../../../../protocols/ports.ts';
import type { RegistryClient } from '../../../registry/registry.ts';
import { createSerial } from '../../../serial.ts';
import type { Engine } from '../../engine.ts';
import { codedFailure } from '../../failure.ts';
import { LayoutError } from '../layout.ts';
import { ProgressTrack } from './progress.ts';
import { pullContent } from './pull.ts';
import { underPullLease } from './lease.ts';
import { putImage } from '../records.ts';

export interface PullWish {
  /** Short. */
  readonly name: string;
  readonly platform: string;
  /** That content, whatever the tag stands for now. */
  readonly digest?: string;
  /** Names that get it; `name` is moved only when it stands for it. */
  readonly names: readonly string[];
}

interface Flight {
  readonly track: ProgressTrack;
  readonly done: Promise<void>;
  readonly end: AbortController;
  waiting: number;
}

export interface PullTools extends Pick<Engine, 'connection' | 'clock' | 'facts'> {
  readonly registry: RegistryClient;
  readonly unpackedBytes: number;
}

export class Pulls {
  readonly #tools: PullTools;
  readonly #flights = new Map<string, Flight>();
  readonly #listeners = new Set<(progress: PullProgress) => void>();
  readonly #perBlob = createSerial();
  /** One that was given up ends before the next of the same begins. */
  readonly #perWish = createSerial();

  constructor(tools: PullTools) {
    this.#tools = tools;
  }

  get underWay(): readonly PullProgress[] {
    return [...this.#flights.values()].map(({ track }) => track.progress);
  }

  watch(notify: (progress: PullProgress) => void): Stop {
    this.#listeners.add(notify);
    return () => this.#listeners.delete(notify);
  }

  digestOf(name: string, signal: AbortSignal): Promise<string> {
    const reference = registryReference(name);
    return this.#tools.registry.repository(reference).digestOf(reference.wanted, signal);
  }

  /** Resolves when the names are there. */
  async pull(wish: PullWish, signal: AbortSignal): Promise<void> {
    const key = `${wish.names.join(' ')} ${wish.platform} ${wish.digest ?? ''}`;
    const flight = this.#flights.get(key) ?? this.#begin(key, wish);
    flight.waiting += 1;
    let abandon: () => void = () => {};
    const gone = new Promise<never>((_, reject) => {
      abandon = () => reject(abandoned(wish.name));
    });
    if (signal.aborted) abandon();
    else signal.addEventListener('abort', abandon, { once: true });
    try {
      await Promise.race([flight.done, gone]);
    } finally {
      signal.removeEventListener('abort', abandon);
      flight.waiting -= 1;
      if (flight.waiting === 0) {
        // Whoever comes now begins anew, from what is there.
        this.#forget(key, flight);
        flight.end.abort(abandoned(wish.name));
      }
    }
  }

  #begin(key: string, wish: PullWish): Flight {
    const told = (progress: PullProgress) => {
      for (const notify of [...this.#listeners]) notify(progress);
    };
    const track = new ProgressTrack(wish.name, told);
    const end = new AbortController();
    const done = this.#perWish
      .run(key, end.signal, () => this.#fly(key, wish, track, end.signal))
      .finally(() => this.#forget(key, flight));
    done.catch(() => {});
    const flight: Flight = { track, end, done, waiting: 0 };
    this.#flights.set(key, flight);
    told(track.progress);
    return flight;
  }

  #forget(key: string, flight: Flight): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  async #fly(key: string, wish: PullWish, track: ProgressTrack, signal: AbortSignal): Promise<void> {
    const { connection, clock, registry, unpackedBytes } = this.#tools;
    const named = registryReference(wish.name);
    const reference = wish.digest === undefined ? named : { ...named, wanted: wish.digest };
    const asCoded = (thrown: unknown) =>
      signal.aborted ? abandoned(wish.name) : codedPull(thrown, wish.name);
    try {
      const facts = await this.#tools.facts({ signal });
      await underPullLease(connection, key, clock.now(), asCoded, async (lease) => {
        const target = await pullContent({
          ingest: { connection, clock, signal, lease },
          facts,
          repository: registry.repository(reference),
          reference,
          platform: wish.platform,
          perBlob: this.#perBlob,
          track,
          unpackedBytes,
        });
        const naming = { timeoutMs: limits.runtimeCallMs, lease };
        for (const name of wish.names) await putImage(connection, naming, name, target, clock.now());
        track.done(target.digest);
      });
    } catch (thrown) {
      const failure = asCoded(thrown);
      track.failed(reasonOf(failure));
      throw failure;
    }
  }
}

function abandoned(image: string): Error {
  return coded('HM-RUNTIME-TIMEOUT', 'Nobody waited any longer.', { image });
}

function codedPull(thrown: unknown, image: string): unknown {
  if (thrown instanceof LayoutError)
    return coded(
      'HM-REGISTRY-ANSWER',
      `What the registry gives as ${image} is no image: ${thrown.message}.`,
      { image },
    );
  return codedFailure(thrown, { image }, 'HM-INTERNAL');
}
