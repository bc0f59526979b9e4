/** Messages of one connection that are being answered or heard: bounded, and let go when it ends. */
import { coded, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Caller, PeerCounts, TypeCounts } from '../../protocols/wire/calls.ts';
import type { SpokenFrame } from './session.ts';
import { encoded, toldOf, type Handlers } from './handlers.ts';

type Asked = Extract<SpokenFrame, { kind: 'request' }>;
type Told = Extract<SpokenFrame, { kind: 'tell' }>;

export interface AnswerWays {
  answer(id: number, body: Uint8Array): void;
  refuse(id: number, because: Reason): void;
  /** Some may have ended: whether more is taken is to be judged anew. */
  changed(): void;
}

/** Why a handler's signal is aborted. One for all: the platform's own would be made, with its stack, for each. */
const unwanted = coded('HM-PEER-TIMEOUT', 'Nobody waits for the answer any more.');

export class Answering {
  readonly #from: Caller;
  readonly #handlers: Handlers;
  readonly #counts: PeerCounts;
  readonly #ways: AnswerWays;
  readonly #running = new Map<number, AbortController>();
  readonly #hearing = new AbortController();
  hearing = 0;

  constructor(from: Caller, handlers: Handlers, counts: PeerCounts, ways: AnswerWays) {
    this.#from = from;
    this.#handlers = handlers;
    this.#counts = counts;
    this.#ways = ways;
  }

  get size(): number {
    return this.#running.size;
  }

  asked(frame: Asked): void {
    const { id, type } = frame;
    const counts = this.#received(frame);
    if (this.#running.has(id) || this.#running.size >= limits.peerAnswering) {
      this.#counts.refused += 1;
      counts.denied += 1;
      const text = `The node answers ${this.#running.size} questions of this one already.`;
      return this.#ways.refuse(id, coded('HM-PEER-BUSY', text).reason);
    }
    const controller = new AbortController();
    this.#running.set(id, controller);
    this.#run('request', frame, controller.signal, (because, value) => {
      if (this.#running.get(id) !== controller) return;
      this.#running.delete(id);
      this.#ways.changed();
      if (controller.signal.aborted) return;
      if (because === undefined) return this.#answer(id, type, value);
      counts.denied += 1;
      this.#ways.refuse(id, because);
    });
  }

  heard(frame: Told): void {
    this.hearing += 1;
    this.#received(frame);
    this.#run('tell', frame, this.#hearing.signal, () => {
      this.hearing -= 1;
      this.#ways.changed();
    });
  }

  /** Nobody waits for it any more; its handler may take a while to notice. */
  cancelled(id: number): void {
    this.#running.get(id)?.abort(unwanted);
  }

  end(): void {
    for (const controller of this.#running.values()) controller.abort(unwanted);
    this.#running.clear();
    this.#hearing.abort(unwanted);
  }

  #received({ type, body }: Asked | Told): TypeCounts {
    const counts = this.#handlers.counted(type);
    counts.received += 1;
    counts.bytesReceived += body.length;
    return counts;
  }

  #answer(id: number, type: string, value: unknown): void {
    const counts = this.#handlers.counted(type);
    try {
      const body = encoded(type, value, this.#handlers.row(type).answerBytes!);
      counts.given += 1;
      counts.bytesSent += body.length;
      this.#ways.answer(id, body);
    } catch (thrown) {
      this.#counts.defects += 1;
      counts.denied += 1;
      this.#ways.refuse(id, toldOf(type, thrown).because);
    }
  }

  #run(
    kind: 'request' | 'tell',
    frame: Asked | Told,
    signal: AbortSignal,
    done: (because: Reason | undefined, value?: unknown) => void,
  ): void {
    const failed = (thrown: unknown): void => {
      const { because, defect } = toldOf(frame.type, thrown);
      if (defect) this.#counts.defects += 1;
      done(because);
    };
    let run: (signal: AbortSignal) => unknown;
    try {
      run = this.#handlers.admit(this.#from, kind, frame);
    } catch (thrown) {
      this.#counts.refused += 1;
      return failed(thrown);
    }
    let value: unknown;
    try {
      value = run(signal);
    } catch (thrown) {
      return failed(thrown);
    }
    if (!isPromise(value)) return done(undefined, value);
    value.then((settled) => done(undefined, settled), failed);
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise;
}
