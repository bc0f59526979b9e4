/**
 * Lists that are watched. One feed a question, shared by all who ask it: after something happened the rows are gathered
 * once, and each watcher compares them with what it has told. It is level-triggered, so a slow reader hears less often
 * and never wrongly, and nothing is kept for it but the rows themselves.
 */
import { coded } from '../../../protocols/errors.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import { limits } from '../../../protocols/limits.ts';
import type { NodeHandle } from '../../node-handle.ts';

/** Rows by key, each with its text: equal texts, nothing changed. */
export type Rows<Row> = ReadonlyMap<string, { readonly row: Row; readonly text: string }>;

export interface FeedSource<Row> {
  readonly rows: () => Promise<readonly Row[]>;
  readonly key: (row: Row) => string;
  /** Fields whose change alone is none. */
  readonly quiet?: readonly (keyof Row & string)[];
}

export interface Subscription<Row> {
  readonly rows: () => Rows<Row>;
  stop(): void;
}

export class Feeds {
  readonly #node: NodeHandle;
  readonly #feeds = new Map<string, Feed<object>>();

  constructor(node: NodeHandle) {
    this.#node = node;
  }

  get count(): number {
    return this.#feeds.size;
  }

  /** `question` names the list with all that decides its rows. Resolves when they are there; rejects as gathering them does. */
  async subscribe<Row extends object>(
    question: string,
    source: FeedSource<Row>,
    changed: () => void,
  ): Promise<Subscription<Row>> {
    let feed = this.#feeds.get(question) as Feed<Row> | undefined;
    if (!feed) {
      if (this.#feeds.size >= limits.apiFeeds)
        throw coded('HM-API-BUSY', `${this.#feeds.size} lists are watched`, { retryAfterS: 10 });
      feed = new Feed<Row>(this.#node, source);
      this.#feeds.set(question, feed as unknown as Feed<object>);
    }
    const own = feed;
    own.listeners.add(changed);
    const stop = (): void => {
      own.listeners.delete(changed);
      if (own.listeners.size > 0 || this.#feeds.get(question) !== (own as unknown)) return;
      own.stop();
      this.#feeds.delete(question);
    };
    try {
      await own.first;
    } catch (thrown) {
      stop();
      throw thrown;
    }
    return { rows: () => own.rows, stop };
  }
}

class Feed<Row extends object> {
  readonly listeners = new Set<() => void>();
  rows: Rows<Row> = new Map();
  /** The rows have been gathered once. */
  readonly first: Promise<void>;
  readonly #node: NodeHandle;
  readonly #source: FeedSource<Row>;
  readonly #stopHearing: () => void;
  #timer: unknown;
  #soon = false;
  #gathering = false;
  #stopped = false;

  constructor(node: NodeHandle, source: FeedSource<Row>) {
    this.#node = node;
    this.#source = source;
    const stopFrames = node.actors.watch((frame) => {
      if (matters(frame)) this.#poke();
    });
    const stopMembers = node.cluster?.membership.onChange(() => this.#poke());
    this.#stopHearing = () => {
      stopFrames();
      stopMembers?.();
    };
    this.first = this.#gather();
    // Each subscriber awaits it; nobody may be there when it fails.
    this.first.catch(() => {});
    this.#schedule(limits.apiWatchPollMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#stopHearing();
    this.#node.clock.clearTimer(this.#timer);
  }

  #poke(): void {
    if (this.#soon) return;
    this.#soon = true;
    this.#schedule(limits.apiWatchMs);
  }

  #schedule(delayMs: number): void {
    this.#node.clock.clearTimer(this.#timer);
    if (!this.#stopped) this.#timer = this.#node.clock.setTimer(delayMs, () => this.#due());
  }

  #due(): void {
    this.#soon = false;
    // What cannot be gathered now is told as it was last, and asked for again.
    if (!this.#gathering) this.#gather().catch(() => {});
    this.#schedule(limits.apiWatchPollMs);
  }

  async #gather(): Promise<void> {
    this.#gathering = true;
    try {
      const rows = await this.#source.rows();
      const { key, quiet = [] } = this.#source;
      const left = Object.fromEntries(quiet.map((field) => [field, undefined]));
      const text = (row: Row): string => JSON.stringify(quiet.length > 0 ? { ...row, ...left } : row);
      const next = new Map(rows.map((row) => [key(row), { row, text: text(row) }]));
      if (alike(this.rows, next)) return;
      this.rows = next;
      for (const listener of [...this.listeners]) listener();
    } finally {
      this.#gathering = false;
    }
  }
}

function alike<Row>(a: Rows<Row>, b: Rows<Row>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, { text }] of b) if (a.get(key)?.text !== text) return false;
  return true;
}

/** An actor that was only asked something has not changed; without this a feed would wake itself. */
function matters(frame: Frame): boolean {
  if (frame.type !== 'actor.transitioned') return frame.type !== 'frames.gap';
  const { fromPhase, toPhase, effects } = frame;
  return fromPhase !== toPhase || effects.length === 0 || effects.some((effect) => effect.do !== 'reply');
}
